//! How the files of a job are transferred: what an owner can say of it (`bits.md` §1.6).

use crate::conditions::CostFlags;
use crate::pacing::rate::Rate;
use crate::units::Bytes;

/// What an owner has said of the transfers of a job. By default nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TransferOptions {
    /// Whether a file that fails is passed over, so that the others come (`bits.md` §13, 31).
    pub keep_going: bool,
    /// Whether what the server sends is made for each request, so that nothing can be resumed.
    pub dynamic_content: bool,
    /// Whether safety after a power cut is given up for speed: one sync for each file, at its end.
    pub high_performance: bool,
    /// Whether nothing comes but what is asked for by ranges (`ON_DEMAND_MODE`).
    pub on_demand: bool,
    /// Bytes that the job may download altogether.
    pub max_download_size: Option<Bytes>,
    /// In which states of the network's cost the job may transfer; what the settings say for its
    /// priority when absent (`bits.md` §10.4).
    pub cost_flags: Option<CostFlags>,
    /// No faster than this, whatever there is.
    pub rate_limit: Option<Rate>,
}
