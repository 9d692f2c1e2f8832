//! What is fetched, and by whom: each contest with its contestants, in rounds by turns.

use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::disk::Disk;
use crate::floor;
use crate::measure::{Meter, Sample, median, spread};
use crate::must::{Measure, Must};
use crate::origin::{self, Origin};
use crate::service::{self, Programs, quiet};

/// Files of the contest with many.
pub(crate) const MANY: usize = 10_000;

/// What is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contest {
    /// One large file over plain http.
    Http,
    /// The same, with the checksum that the person gave.
    Checksum,
    /// The same over TLS 1.3.
    Tls,
    /// Many files of 4 KiB in one job.
    Many,
}

/// Who fetches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tool {
    Floor,
    Bits,
    Curl,
    Wget2,
    Aria2,
}

impl Contest {
    pub(crate) const ALL: [Self; 4] = [Self::Http, Self::Checksum, Self::Tls, Self::Many];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Checksum => "checksum",
            Self::Tls => "tls",
            Self::Many => "many",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Http => "one large file over http",
            Self::Checksum => "the same with its SHA-256, given to OpenBITS alone",
            Self::Tls => "the same over TLS 1.3",
            Self::Many => "10,000 files of 4 KiB, atomic and durable where the tool can do that",
        }
    }

    fn tools(self) -> &'static [Tool] {
        match self {
            Self::Http => &[Tool::Floor, Tool::Bits, Tool::Curl, Tool::Wget2, Tool::Aria2],
            Self::Checksum => &[Tool::Bits, Tool::Curl],
            Self::Tls => &[Tool::Floor, Tool::Bits, Tool::Curl],
            Self::Many => &[Tool::Floor, Tool::Bits, Tool::Curl],
        }
    }
}

fn folder_in(home: &Path) -> Result<TempDir, String> {
    tempfile::tempdir_in(home).map_err(|error| error.to_string())
}

impl Tool {
    fn name(self, contest: Contest) -> &'static str {
        match (self, contest) {
            (Self::Floor, Contest::Tls) => "floor: SSL_read, write",
            (Self::Floor, Contest::Many) => "floor: syncfs, rename",
            (Self::Floor, _) => "floor: receive, write",
            (Self::Bits, _) => "bits get + service",
            (Self::Curl, Contest::Many) => "curl -K",
            (Self::Curl, _) => "curl",
            (Self::Wget2, _) => "wget2",
            (Self::Aria2, _) => "aria2",
        }
    }
}

/// Where everything is.
pub(crate) struct Setup<'a> {
    pub(crate) origin: &'a Origin,
    size: u64,
    home: TempDir,
    programs: Programs,
    tls_floor: Option<PathBuf>,
    checksum: String,
}

impl<'a> Setup<'a> {
    pub(crate) fn new(origin: &'a Origin, size: u64) -> Result<Self, String> {
        let home = tempfile::tempdir().map_err(|error| error.to_string())?;
        let programs = Programs::beside_this()?;
        let tls_floor = floor::compile_tls(home.path());
        let mut sha256 = Sha256::new();
        let chunk = vec![origin::BYTE; 1 << 20];
        for _ in 0..size >> 20 {
            sha256.update(&chunk);
        }
        let hex: String = sha256.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { origin, size, home, programs, tls_floor, checksum: format!("sha256:{hex}") })
    }

    /// Where a round may be, and leave nothing behind.
    pub(crate) fn folder(&self) -> Result<TempDir, String> {
        folder_in(self.home.path())
    }

    pub(crate) fn service(&self, home: &Path) -> Result<service::Service<'_>, String> {
        self.programs.start(home)
    }

    /// Holds `contest` and prints what it came to.
    pub(crate) fn hold(&self, contest: Contest, rounds: usize) -> Result<(), String> {
        let mut disk = None;
        if contest == Contest::Many {
            match Disk::make(self.home.path()) {
                Ok(made) => disk = Some(made),
                Err(why) => {
                    eprintln!("many files go where all others go, and not to a disk of their own: {why}")
                }
            }
        }
        let home = disk.as_ref().map_or(self.home.path(), Disk::path);
        let tools: Vec<Tool> =
            contest.tools().iter().copied().filter(|tool| self.can(*tool, contest)).collect();
        if contest == Contest::Checksum && !self.programs.knows("get", "--checksum") {
            println!("\n{}: not measured, bits get has no --checksum", contest.title());
            return Ok(());
        }
        let mut samples: Vec<Vec<Sample>> = vec![Vec::new(); tools.len()];
        let mut folders = Vec::new();
        for _ in 0..rounds {
            for (tool, samples) in tools.iter().zip(&mut samples) {
                let folder = folder_in(home)?;
                samples.push(self.run(*tool, contest, folder.path())?);
                // ext4 looks long for places where no file was deleted just now: whoever made many
                // files next would pay for the deletion of these.
                folders.extend((contest == Contest::Many).then_some(folder));
            }
        }
        let (scale, unit) = match contest {
            Contest::Many => (1.0, "CPU s"),
            _ => (self.size as f64 / f64::from(1 << 30), "CPU s/GiB"),
        };
        println!("\n{}, load {}", contest.title(), crate::measure::load());
        println!(
            "{:<24}{unit:>12}{:>18}{:>10}{:>10}{:>10}{:>12}",
            "", "min to max", "x floor", "x curl", "wall s", "RSS MiB"
        );
        let cpu = |samples: &[Sample]| median(samples.iter().map(|sample| sample.cpu / scale));
        let of = |wanted: Tool| tools.iter().position(|tool| *tool == wanted).map(|at| cpu(&samples[at]));
        let ratio =
            |value: f64, to: Option<f64>| to.map_or("-".to_owned(), |to| format!("{:.2}", value / to));
        for (tool, samples) in tools.iter().zip(&samples) {
            let (least, most) = spread(samples.iter().map(|sample| sample.cpu / scale));
            let peak = samples.iter().filter_map(|sample| sample.peak_mib).reduce(f64::max);
            println!(
                "{:<24}{:>12.3}{:>18}{:>10}{:>10}{:>10.2}{:>12}",
                tool.name(contest),
                cpu(samples),
                format!("{least:.3} to {most:.3}"),
                ratio(cpu(samples), of(Tool::Floor)),
                ratio(cpu(samples), of(Tool::Curl)),
                median(samples.iter().map(|sample| sample.wall)),
                peak.map_or("-".to_owned(), |peak| format!("{peak:.1}"))
            );
        }
        let ours = of(Tool::Bits);
        let at = tools.iter().position(|tool| *tool == Tool::Bits);
        let peak = at.and_then(|at| samples[at].iter().filter_map(|sample| sample.peak_mib).reduce(f64::max));
        for must in Must::of(contest) {
            let value = match must.measure {
                Measure::OfFloor => ours.zip(of(Tool::Floor)).map(|(ours, floor)| ours / floor),
                Measure::OfCurl => ours.zip(of(Tool::Curl)).map(|(ours, curl)| ours / curl),
                Measure::PeakMib => peak,
            };
            println!("must: {}", must.verdict(value));
        }
        Ok(())
    }

    fn can(&self, tool: Tool, contest: Contest) -> bool {
        let program = match tool {
            Tool::Floor if contest == Contest::Tls && self.tls_floor.is_none() => {
                eprintln!("the floor over TLS needs cc and OpenSSL's headers and is left out");
                return false;
            }
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

    /// Lets `tool` fetch once.
    fn run(&self, tool: Tool, contest: Contest, folder: &Path) -> Result<Sample, String> {
        let files = folder.join("files");
        std::fs::create_dir(&files).map_err(|error| error.to_string())?;
        if contest == Contest::Many {
            self.write_lists(folder, &files)?;
        }
        let file = files.join("file");
        let url = match contest {
            Contest::Tls => self.origin.secure_url("large"),
            _ => self.origin.url("large"),
        };
        let mut peak = None;
        let meter = Meter::start()?;
        match (tool, contest) {
            (Tool::Floor, Contest::Tls) => {
                let program = self.tls_floor.as_ref().expect("it is left out otherwise");
                let port = self.origin.secure_port().to_string();
                quiet(Command::new(program).arg(port).arg(&file))?;
            }
            (Tool::Floor, Contest::Many) => floor::start_many(self.origin.address(), &files)?,
            (Tool::Floor, _) => floor::start(self.origin.address(), &file)?,
            (Tool::Bits, _) => {
                let service = self.service(folder)?;
                let mut get = service.bits();
                get.args(["-q", "get"]);
                match contest {
                    Contest::Many => get.arg("--input").arg(folder.join("list")).arg(&files),
                    Contest::Checksum => get.args(["--checksum", &self.checksum, &url]).arg(&file),
                    Contest::Http | Contest::Tls => get.arg(&url).arg(&file),
                };
                quiet(&mut get)?;
                peak = service.peak_mib();
                service.stop()?;
            }
            (Tool::Curl, Contest::Many) => {
                quiet(Command::new("curl").arg("-s").arg("-K").arg(folder.join("curl")))?;
            }
            (Tool::Curl, _) => {
                let mut curl = Command::new("curl");
                curl.arg("-s").arg("--cacert").arg(origin::authority()).arg("-o").arg(&file).arg(&url);
                quiet(&mut curl)?;
            }
            (Tool::Wget2, _) => quiet(Command::new("wget2").args(["-q", "-O"]).arg(&file).arg(&url))?,
            (Tool::Aria2, _) => {
                let mut aria2 = Command::new("aria2c");
                aria2.args(["-q", "-x1", "--file-allocation=none", "-o", "file", "-d"]);
                quiet(aria2.arg(&files).arg(&url))?;
            }
        }
        let sample = Sample { peak_mib: peak, ..meter.stop()? };
        self.check(contest, &files).map_err(|what| format!("{}: {what}", tool.name(contest)))?;
        Ok(sample)
    }

    /// What `bits get --input` and `curl -K` read.
    fn write_lists(&self, folder: &Path, files: &Path) -> Result<(), String> {
        let (mut list, mut config) = (String::new(), String::new());
        for number in 0..MANY {
            let url = self.origin.url(&format!("tiny/{number}"));
            list += &format!("{url}\n");
            config += &format!("url = \"{url}\"\noutput = \"{}/{number}\"\n", files.display());
        }
        let write = |name, text| std::fs::write(folder.join(name), text).map_err(|error| error.to_string());
        write("list", list)?;
        write("curl", config)
    }

    /// Whether all has arrived.
    fn check(&self, contest: Contest, files: &Path) -> Result<(), String> {
        let failed = |error: std::io::Error| error.to_string();
        let (count, size) = match contest {
            Contest::Many => (MANY, origin::TINY),
            _ => (1, self.size),
        };
        let mut found = 0;
        for entry in std::fs::read_dir(files).map_err(failed)? {
            let length = entry.and_then(|entry| entry.metadata()).map_err(failed)?.len();
            if length != size {
                return Err(format!("a file has {length} bytes instead of {size}"));
            }
            found += 1;
        }
        if found == count { Ok(()) } else { Err(format!("{found} files arrived instead of {count}")) }
    }
}
