//! How long small things take for a person who waits for them.

use std::process::Command;
use std::time::Instant;

use crate::contest::Setup;
use crate::measure::{median, spread};
use crate::service::quiet;

/// Measures a list, and a file of 1 KiB, with the service running.
pub(crate) fn measure(setup: &Setup<'_>, rounds: usize) -> Result<(), String> {
    let folder = setup.folder()?;
    let service = setup.service(folder.path())?;
    let url = setup.origin.url("small");
    let (mut lists, mut gets, mut curls) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        lists.push(timed(service.bits().arg("list"))?);
        let file = folder.path().join(format!("b{round}"));
        gets.push(timed(service.bits().args(["-q", "get", &url]).arg(file))?);
        let file = folder.path().join(format!("c{round}"));
        curls.push(timed(Command::new("curl").args(["-s", "-o"]).arg(file).arg(&url))?);
    }
    service.stop()?;
    println!("\nsmall things with the service running, {rounds} rounds, milliseconds");
    for (what, values) in [("bits list", &lists), ("bits get, 1 KiB", &gets), ("curl, 1 KiB", &curls)] {
        let (least, most) = spread(values.iter().copied());
        println!(
            "{what:<24}{:>12.1}{:>18}",
            median(values.iter().copied()),
            format!("{least:.1} to {most:.1}")
        );
    }
    Ok(())
}

/// Milliseconds until the command has ended.
fn timed(command: &mut Command) -> Result<f64, String> {
    let began = Instant::now();
    quiet(command)?;
    Ok(began.elapsed().as_secs_f64() * 1e3)
}
