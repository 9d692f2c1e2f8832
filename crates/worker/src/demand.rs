//! One attempt of a job on demand: what is requested of its files first, then what is missing of those of
//! which all is wanted; and what is asked for while it goes on.

use bits_core::demand::next_file;
use bits_core::file::{File, Stage};
use bits_core::queue::{Asked, Report};
use bits_core::transfer::{DemandPlan, Outcome, Rules};
use bits_core::units::Bytes;

use crate::attempt::{Line, Passing, PassingOver, Surroundings};
use crate::gathering::Clients;
use crate::sink::Sink;
use crate::transfer::download;

/// What there is to do.
#[derive(Debug)]
pub(crate) struct OnDemand {
    /// All that are not whole, as they are known by now.
    pub(crate) files: Vec<File>,
    /// How many demands are known of.
    pub(crate) demands: u32,
    pub(crate) rules: Rules,
    /// What the job may download altogether.
    pub(crate) bytes_max: Option<Bytes>,
    /// What its whole files have.
    pub(crate) downloaded: Bytes,
}

impl OnDemand {
    pub(crate) async fn carry_out(
        mut self,
        mut clients: Clients,
        mut passing: PassingOver,
        around: &Surroundings,
        line: &mut Line,
    ) {
        let attempt = line.attempt;
        loop {
            self.take_in(line.take_asked());
            if line.stop().is_cancelled() {
                return;
            }
            // One that waits for another attempt is not in the way of the others.
            let may_be_tried = |file: &File| !passing.skips(file);
            let tried: Vec<usize> =
                (0..self.files.len()).filter(|at| may_be_tried(&self.files[*at])).collect();
            let candidates: Vec<File> = tried.iter().map(|at| self.files[*at].clone()).collect();
            let Some(at) = next_file(&candidates).map(|at| tried[at]) else { break };
            let file = &self.files[at];
            let mut client = clients.take();
            let outcome = match Sink::open(line.job, file, around).await {
                Ok((sink, found)) => {
                    let mut plan =
                        DemandPlan::new(attempt, file, self.rules_now(), found, around.boot, line.now());
                    download(&mut plan, file.index, &mut client, (sink, None), line).await
                }
                Err(error) => Outcome::Failed(error),
            };
            clients.give_back(client);
            match outcome {
                Outcome::Transferred => {
                    let file = &mut self.files[at];
                    file.stage = Stage::Transferred;
                    file.durable = file.size.unwrap_or(file.durable);
                }
                Outcome::Satisfied(known) => self.files[at] = *known,
                Outcome::Stopped => return,
                Outcome::Gathered(_) => unreachable!("a file that comes by ranges is not gathered"),
                Outcome::Failed(error) => match passing.over(&self.files[at], error) {
                    Passing::Over(error) => {
                        let file = self.files.remove(at);
                        line.report(Report::FilePassedOver { attempt, file: file.index, error });
                    }
                    Passing::Later => {
                        self.files.remove(at);
                    }
                    Passing::Not(error) => {
                        line.report(Report::Failed { attempt, error });
                        return;
                    }
                },
            }
        }
        let is_whole = self.files.iter().all(|file| file.stage != Stage::Waiting || file.error.is_some());
        line.report(match passing.postponed {
            Some(error) => Report::Failed { attempt, error },
            None if is_whole => Report::FilesTransferred { attempt },
            None => Report::Satisfied { attempt, demands: self.demands },
        });
    }

    fn take_in(&mut self, asked: Vec<(u32, Asked)>) {
        for (demands, Asked { file, ranges, position }) in asked {
            // Those that the attempt began with are known of already.
            if demands <= self.demands {
                continue;
            }
            self.demands = demands;
            if let Some(known) = self.files.iter_mut().find(|known| known.index == file) {
                known.demand.requested.extend(ranges);
                known.demand.position = position.or(known.demand.position);
            }
        }
    }

    fn rules_now(&self) -> Rules {
        let here = self.files.iter().map(|file| match file.stage {
            Stage::Waiting => file.demand.filled.total(),
            Stage::Transferred | Stage::Completed => file.durable,
        });
        let here = here.fold(self.downloaded, Bytes::saturating_add);
        Rules { bytes_max: self.bytes_max.map(|most| most.beyond(here)), ..self.rules }
    }
}
