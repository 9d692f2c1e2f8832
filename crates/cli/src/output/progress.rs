//! How far jobs have come, as bars on a terminal, as a line now and then elsewhere.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use bits_client::api::job::Job;
use bits_platform::shown::shown;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::units::{bytes, duration};
use super::{Output, ProgressForm, words};

/// The progress of the jobs that are watched.
pub(crate) struct Progress<'a> {
    output: &'a Output,
    bars: MultiProgress,
    jobs: HashMap<String, Shown>,
}

/// What is shown of one job.
struct Shown {
    bar: Option<ProgressBar>,
    /// How the bar is drawn.
    template: &'static str,
    pace: Pace,
    /// When the last line was written, and how many bytes there were then.
    line: Option<(Instant, u64)>,
}

/// Between two lines about one job.
const BETWEEN_LINES: Duration = Duration::from_secs(10);
/// Bars on the screen at once; further jobs have none.
const BARS_MAX: usize = 10;
/// Characters of a job's name beside its bar.
const NAME_CHARS_MAX: usize = 30;

impl<'a> Progress<'a> {
    pub(crate) fn new(output: &'a Output) -> Self {
        let target = match output.progress_form() {
            ProgressForm::Bars => ProgressDrawTarget::stderr(),
            ProgressForm::Lines | ProgressForm::None => ProgressDrawTarget::hidden(),
        };
        Self { output, bars: MultiProgress::with_draw_target(target), jobs: HashMap::new() }
    }

    /// Shows how far `job` has come.
    pub(crate) fn show(&mut self, job: &Job, now: Instant) {
        match self.output.progress_form() {
            ProgressForm::Bars => self.draw(job, now),
            ProgressForm::Lines => self.write(job, now),
            ProgressForm::None => {}
        }
    }

    /// Takes the bar of `job` away.
    pub(crate) fn forget(&mut self, job: &Job) {
        if let Some(Shown { bar: Some(bar), .. }) = self.jobs.remove(&job.id) {
            bar.finish_and_clear();
            self.bars.remove(&bar);
        }
    }

    /// Lets `speak` write while the bars are off the screen.
    pub(crate) fn aside(&self, speak: impl FnOnce(&Output)) {
        self.bars.suspend(|| speak(self.output));
    }

    /// Takes all bars away: something else is going to use the terminal.
    pub(crate) fn clear(&mut self) {
        for (_, shown) in self.jobs.drain() {
            if let Some(bar) = shown.bar {
                bar.finish_and_clear();
                self.bars.remove(&bar);
            }
        }
    }

    fn draw(&mut self, job: &Job, now: Instant) {
        let drawn = self.jobs.values().filter(|shown| shown.bar.is_some()).count();
        if !self.jobs.contains_key(&job.id) && drawn >= BARS_MAX {
            return;
        }
        let shown = self.jobs.entry(job.id.clone()).or_insert_with(|| {
            // Styled before it is on the screen, where it is drawn at once.
            let template = template(job);
            let bar = ProgressBar::no_length().with_style(style(template));
            let bar = bar.with_position(job.progress.bytes_transferred);
            Shown { bar: Some(self.bars.add(bar)), template, pace: Pace::default(), line: None }
        });
        let pace = shown.pace.told(job, now);
        let Some(bar) = &shown.bar else { return };
        if let Some(total) = job.progress.bytes_total {
            bar.set_length(total);
        }
        let template = template(job);
        if shown.template != template {
            shown.template = template;
            bar.set_style(style(template));
        }
        bar.set_prefix(name(job));
        bar.set_message(pace.unwrap_or_else(|| state(job)));
        bar.set_position(job.progress.bytes_transferred);
    }

    fn write(&mut self, job: &Job, now: Instant) {
        let transferred = job.progress.bytes_transferred;
        let shown = self.jobs.entry(job.id.clone()).or_insert(Shown {
            bar: None,
            template: "",
            pace: Pace::default(),
            line: None,
        });
        let rate = match shown.line {
            Some((at, _)) if now.duration_since(at) < BETWEEN_LINES => return,
            Some((at, before)) => {
                let moved = transferred.saturating_sub(before) as f64;
                let rate = moved / now.duration_since(at).as_secs_f64();
                format!(", {}/s", bytes(rate as u64))
            }
            None => String::new(),
        };
        shown.line = Some((now, transferred));
        self.output.say(&format!(
            "{}: {}, {}{rate}",
            job.display_name,
            job.state.replace('_', " "),
            words::progress(&job.progress)
        ));
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        self.clear();
    }
}

/// How fast bytes come, over the last moments in which they did.
#[derive(Debug, Default)]
struct Pace(VecDeque<(Instant, u64)>);

impl Pace {
    /// What there is a rate of.
    const WINDOW: Duration = Duration::from_secs(5);
    /// Less than that says nothing of a rate.
    const LEAST: Duration = Duration::from_secs(1);

    /// Such as ` 12.3 MiB/s, 4 s left`; none while nothing is on its way, whatever was before.
    fn told(&mut self, job: &Job, now: Instant) -> Option<String> {
        if job.state != "transferring" {
            self.0.clear();
            return None;
        }
        let have = job.progress.bytes_transferred;
        self.0.push_back((now, have));
        while self.0.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= Self::WINDOW) {
            self.0.pop_front();
        }
        let (since, before) = *self.0.front()?;
        let took = now.duration_since(since);
        if took < Self::LEAST {
            return Some(String::new());
        }
        let rate = (have.saturating_sub(before) as f64 / took.as_secs_f64()) as u64;
        let left = job.progress.bytes_total.and_then(|total| total.saturating_sub(have).checked_div(rate));
        let left = left.map(|seconds| format!(", {} left", duration(seconds))).unwrap_or_default();
        Some(format!(" {}/s{left}", bytes(rate)))
    }
}

const MOVING: &str = "{prefix} {bar:20} {binary_bytes} of {binary_total_bytes}{msg}";
const SIZE_UNKNOWN: &str = "{prefix} {binary_bytes}{msg}";
/// Before anything has come there is nothing to be drawn.
const NOT_YET: &str = "{prefix}{msg}";

fn template(job: &Job) -> &'static str {
    match (job.progress.bytes_transferred, job.progress.bytes_total) {
        (0, _) => NOT_YET,
        (_, None) => SIZE_UNKNOWN,
        (_, Some(_)) => MOVING,
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates here are well formed").progress_chars("=> ")
}

fn name(job: &Job) -> String {
    let name = shown(&job.display_name);
    match name.char_indices().nth(NAME_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name,
    }
}

/// What is to be said beside a bar: nothing while bytes come.
fn state(job: &Job) -> String {
    match job.state.as_str() {
        "transferring" => String::new(),
        state => format!(" ({})", shown(state).replace('_', " ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::words::tests::a_job;

    #[test]
    fn the_templates_are_well_formed() {
        for template in [MOVING, SIZE_UNKNOWN, NOT_YET] {
            style(template);
        }
    }

    #[test]
    fn a_rate_is_that_of_what_comes_and_none_while_nothing_does() {
        let began = Instant::now();
        let mut pace = Pace::default();
        let mut at = |seconds: u64, state: &str, mebibytes: u64| {
            let mut job = a_job(state);
            job.progress.bytes_transferred = mebibytes << 20;
            job.progress.bytes_total = Some(100 << 20);
            pace.told(&job, began + Duration::from_secs(seconds))
        };
        for (seconds, state, mebibytes, told) in [
            // What was there before counts as nothing that came.
            (0, "queued", 40, None),
            (1, "transferring", 40, Some("")),
            (2, "transferring", 42, Some(" 2.0 MiB/s, 29 s left")),
            (4, "transferring", 46, Some(" 2.0 MiB/s, 27 s left")),
            (5, "transient_error", 46, None),
            (60, "connecting", 46, None),
            (61, "transferring", 46, Some("")),
            (63, "transferring", 46, Some(" 0 bytes/s")),
            (68, "transferring", 56, Some(" 2.0 MiB/s, 22 s left")),
        ] {
            assert_eq!(at(seconds, state, mebibytes).as_deref(), told, "after {seconds} s");
        }
    }
}
