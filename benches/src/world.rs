//! The tools that are compared, each in a fresh folder, with a service of its own.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::measure::{Meter, Sample, median, spread};
use crate::origin::Origin;

/// Bytes the floor receives and writes at a time.
const FLOOR_BUFFER: usize = 256 << 10;
/// The argument that makes this program the floor.
const FLOOR: &str = "--floor";
/// How long a service may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// What fetches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    Floor,
    Bits,
    Curl,
    Wget2,
    Aria2,
}

impl Tool {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor: receive+write",
            Self::Bits => "bits get + service",
            Self::Curl => "curl",
            Self::Wget2 => "wget2",
            Self::Aria2 => "aria2",
        }
    }
}

/// Where everything is.
#[derive(Debug)]
pub(crate) struct World<'a> {
    origin: &'a Origin,
    home: TempDir,
    bits: PathBuf,
    bitsd: PathBuf,
}

/// A service of this world's; stopped when dropped.
struct Service<'a> {
    world: &'a World<'a>,
    child: Child,
}

impl<'a> World<'a> {
    pub(crate) fn new(origin: &'a Origin) -> Result<Self, String> {
        let beside = std::env::current_exe().map_err(|error| error.to_string())?;
        let program = |name: &str| {
            let path = beside.with_file_name(name);
            path.exists()
                .then_some(path)
                .ok_or_else(|| format!("{name} is not built: cargo build --release --bin bits --bin bitsd"))
        };
        let home = tempfile::tempdir().map_err(|error| error.to_string())?;
        Ok(Self { origin, home, bits: program("bits")?, bitsd: program("bitsd")? })
    }

    /// Those that are installed.
    pub(crate) fn tools(&self) -> Vec<Tool> {
        let all = [Tool::Floor, Tool::Bits, Tool::Curl, Tool::Wget2, Tool::Aria2];
        all.into_iter().filter(|tool| self.is_installed(*tool)).collect()
    }

    fn is_installed(&self, tool: Tool) -> bool {
        let program = match tool {
            Tool::Floor | Tool::Bits => return true,
            Tool::Curl => "curl",
            Tool::Wget2 => "wget2",
            Tool::Aria2 => "aria2c",
        };
        let found = quiet(Command::new(program).arg("--version")).is_ok();
        if !found {
            eprintln!("{program} is not installed and left out");
        }
        found
    }

    /// Fetches the large file once.
    pub(crate) fn fetch(&self, tool: Tool, size: u64) -> Result<Sample, String> {
        let folder = tempfile::tempdir_in(self.home.path()).map_err(|error| error.to_string())?;
        let file = folder.path().join("file");
        let url = self.origin.url("large");
        let meter = Meter::start()?;
        match tool {
            Tool::Floor => {
                let this = std::env::current_exe().map_err(|error| error.to_string())?;
                quiet(Command::new(this).arg(FLOOR).arg(self.origin.address().to_string()).arg(&file))?;
            }
            Tool::Bits => {
                let service = self.service()?;
                quiet(self.bits().args(["-q", "get", &url]).arg(&file))?;
                service.stop()?;
            }
            Tool::Curl => quiet(Command::new("curl").args(["-s", "-o"]).arg(&file).arg(&url))?,
            Tool::Wget2 => quiet(Command::new("wget2").args(["-q", "-O"]).arg(&file).arg(&url))?,
            Tool::Aria2 => {
                let mut command = Command::new("aria2c");
                command.args(["-q", "-x1", "--file-allocation=none", "-o", "file", "-d"]);
                quiet(command.arg(folder.path()).arg(&url))?;
            }
        }
        let sample = meter.stop()?;
        let length = file.metadata().map_err(|error| format!("{}: {error}", tool.name()))?.len();
        if length != size {
            return Err(format!("{}: {length} bytes arrived instead of {size}", tool.name()));
        }
        Ok(sample)
    }

    /// How long the small things take: a list, and a file of 1 KiB.
    pub(crate) fn small_things(&self, rounds: usize) -> Result<(), String> {
        let service = self.service()?;
        let url = self.origin.url("small");
        let (mut lists, mut gets, mut curls) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..rounds {
            lists.push(timed(self.bits().arg("list"))?);
            gets.push(timed(
                self.bits().args(["-q", "get", &url]).arg(self.home.path().join(format!("b{round}"))),
            )?);
            let file = self.home.path().join(format!("c{round}"));
            curls.push(timed(Command::new("curl").args(["-s", "-o"]).arg(file).arg(&url))?);
        }
        service.stop()?;
        println!("small things with the service running, {rounds} rounds, milliseconds");
        for (what, values) in [("bits list", &lists), ("bits get, 1 KiB", &gets), ("curl, 1 KiB", &curls)] {
            let (least, most) = spread(values.iter().copied());
            println!(
                "{what:<22}{:>14.1}{:>18}",
                median(values.iter().copied()),
                format!("{least:.1} to {most:.1}")
            );
        }
        Ok(())
    }

    fn service(&'a self) -> Result<Service<'a>, String> {
        let mut command = Command::new(&self.bitsd);
        let child = self.at_home(&mut command).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let service = Service { world: self, child: child.map_err(|error| format!("bitsd: {error}"))? };
        let deadline = Instant::now() + PATIENCE;
        while std::os::unix::net::UnixStream::connect(self.socket()).is_err() {
            if Instant::now() > deadline {
                return Err("bitsd does not answer".to_owned());
            }
            std::thread::yield_now();
        }
        Ok(service)
    }

    fn bits(&self) -> Command {
        let mut command = Command::new(&self.bits);
        self.at_home(&mut command);
        command
    }

    fn at_home<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        let home = self.home.path();
        command
            .env("HOME", home)
            .env("XDG_STATE_HOME", home.join("state"))
            .env("XDG_CONFIG_HOME", home.join("config"))
            .env_remove("XDG_RUNTIME_DIR")
            .env_remove("BITS_SOCKET")
    }

    fn socket(&self) -> PathBuf {
        self.home.path().join("state/bits/bitsd.sock")
    }
}

impl Service<'_> {
    /// Stops it and waits for its end, so that its cost is counted.
    fn stop(mut self) -> Result<(), String> {
        quiet(self.world.bits().args(["-q", "service", "stop"]))?;
        self.child.wait().map(drop).map_err(|error| format!("bitsd: {error}"))
    }
}

impl Drop for Service<'_> {
    fn drop(&mut self) {
        // After a proper stop there is nothing left to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn quiet(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr)))
}

/// Milliseconds until the command has ended.
fn timed(command: &mut Command) -> Result<f64, String> {
    let began = Instant::now();
    quiet(command)?;
    Ok(began.elapsed().as_secs_f64() * 1e3)
}

/// The least a download can cost with ordinary calls: receive a buffer, write a buffer.
pub(crate) fn floor(address: &str, path: &Path) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET /large HTTP/1.1\r\nHost: floor\r\nConnection: close\r\n\r\n")?;
    let mut buffer = vec![0; FLOOR_BUFFER];
    let mut head = Vec::new();
    let body = loop {
        let length = stream.read(&mut buffer)?;
        head.extend(&buffer[..length]);
        if let Some(at) = head.windows(4).position(|window| window == b"\r\n\r\n") {
            break head.split_off(at + 4);
        }
    };
    let text = String::from_utf8_lossy(&head).to_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
    let mut left: usize = length.ok_or_else(|| std::io::Error::other("no length"))?;
    let mut file = File::create(path)?;
    file.write_all(&body)?;
    left -= body.len();
    while left > 0 {
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            return Err(std::io::Error::other("cut"));
        }
        file.write_all(&buffer[..length])?;
        left -= length;
    }
    Ok(())
}

/// Whether this process was started to be the floor; the address and the file then.
pub(crate) fn floor_arguments(arguments: &[String]) -> Option<(&str, &Path)> {
    match arguments {
        [flag, address, path] if flag == FLOOR => Some((address, Path::new(path))),
        _ => None,
    }
}
