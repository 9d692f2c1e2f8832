//! That the table of BITS's methods is whole and honest: every method of the reference has its row,
//! every row one of four states, and what is said to work names tests that are there.

use crate::tree::{read, root};

const PAGE: &str = "docs/bits-compatibility.md";

/// What a state begins with.
const STATES: [&str; 4] = ["works", "differs", "not applicable", "not yet"];

/// Every interface with its methods, in the order of the reference.
const INTERFACES: &[(&str, &str)] = &[
    ("IBackgroundCopyManager", "CreateJob GetJob EnumJobs GetErrorDescription"),
    ("IEnumBackgroundCopyJobs", "Next Skip Reset Clone GetCount"),
    ("IEnumBackgroundCopyFiles", "Next Skip Reset Clone GetCount"),
    (
        "IBackgroundCopyJob",
        "AddFileSet AddFile EnumFiles Suspend Resume Cancel Complete GetId GetType GetProgress GetTimes \
         GetState GetError GetOwner SetDisplayName GetDisplayName SetDescription GetDescription SetPriority \
         GetPriority SetNotifyFlags GetNotifyFlags SetNotifyInterface GetNotifyInterface \
         SetMinimumRetryDelay GetMinimumRetryDelay SetNoProgressTimeout GetNoProgressTimeout GetErrorCount \
         SetProxySettings GetProxySettings TakeOwnership",
    ),
    (
        "IBackgroundCopyJob2",
        "SetNotifyCmdLine GetNotifyCmdLine GetReplyProgress GetReplyData SetReplyFileName GetReplyFileName \
         SetCredentials RemoveCredentials",
    ),
    ("IBackgroundCopyJob3", "ReplaceRemotePrefix AddFileWithRanges SetFileACLFlags GetFileACLFlags"),
    (
        "IBackgroundCopyJob4",
        "SetPeerCachingFlags GetPeerCachingFlags GetOwnerIntegrityLevel GetOwnerElevationState \
         SetMaximumDownloadTime GetMaximumDownloadTime",
    ),
    (
        "IBackgroundCopyJobHttpOptions",
        "SetClientCertificateByID SetClientCertificateByName RemoveClientCertificate GetClientCertificate \
         SetCustomHeaders GetCustomHeaders SetSecurityFlags GetSecurityFlags",
    ),
    ("IBackgroundCopyJobHttpOptions2", "SetHttpMethod GetHttpMethod"),
    ("IBackgroundCopyJobHttpOptions3", "SetServerCertificateValidationInterface MakeCustomHeadersWriteOnly"),
    ("IBackgroundCopyServerCertificateValidationCallback", "ValidateServerCertificate"),
    ("IBackgroundCopyFile", "GetRemoteName GetLocalName GetProgress"),
    ("IBackgroundCopyFile2", "GetFileRanges SetRemoteName"),
    ("IBackgroundCopyFile3", "GetTemporaryName SetValidationState GetValidationState IsDownloadedFromPeer"),
    ("IBackgroundCopyFile4", "GetPeerDownloadStats"),
    ("IBackgroundCopyFile5", "SetProperty"),
    ("IBackgroundCopyFile6", "UpdateDownloadPosition RequestFileRanges GetFilledFileRanges"),
    ("IBackgroundCopyError", "GetError GetFile GetErrorDescription GetErrorContextDescription GetProtocol"),
    ("IBackgroundCopyCallback", "JobTransferred JobError JobModification"),
    ("IBackgroundCopyCallback2", "FileTransferred"),
    ("IBackgroundCopyCallback3", "FileRangesTransferred"),
    (
        "IBitsTokenOptions",
        "SetHelperTokenFlags GetHelperTokenFlags SetHelperToken ClearHelperToken GetHelperTokenSid",
    ),
    (
        "IBitsPeerCacheAdministration",
        "GetMaximumCacheSize SetMaximumCacheSize GetMaximumContentAge SetMaximumContentAge \
         GetConfigurationFlags SetConfigurationFlags EnumRecords GetRecord ClearRecords DeleteRecord \
         DeleteUrl EnumPeers ClearPeers DiscoverPeers",
    ),
    ("IEnumBitsPeerCacheRecords", "Next Skip Reset Clone GetCount"),
    ("IEnumBitsPeers", "Next Skip Reset Clone GetCount"),
    (
        "IBitsPeerCacheRecord",
        "GetId GetOriginUrl GetFileSize GetFileModificationTime GetLastAccessTime IsFileValidated \
         GetFileRanges",
    ),
    ("IBitsPeer", "GetPeerName IsAuthenticated IsAvailable"),
    (
        "Policies",
        "JobInactivityTimeout MaxInternetBandwidth MaxDownloadTime MaxJobsPerUser MaxJobsPerMachine \
         MaxFilesPerJob MaxRangesPerFile EnableBandwidthLimits EnableMaintenanceLimits DisableBranchCache \
         EnablePeerCaching DisablePeerCachingClient DisablePeerCachingServer MaxBandwidthServed MaxCacheSize \
         MaxContentAge UseLMCompat",
    ),
];

/// The properties of a job that are got and set by number.
const JOB_PROPERTIES: &str = "COST_FLAGS NOTIFICATION_CLSID DYNAMIC_CONTENT HIGH_PERFORMANCE \
     MAX_DOWNLOAD_SIZE USE_STORED_CREDENTIALS MINIMUM_NOTIFICATION_INTERVAL_MS ON_DEMAND_MODE";

/// One row of a table, and the heading above it.
struct Entry {
    interface: String,
    method: String,
    state: String,
    shown_by: String,
}

#[test]
fn every_method_of_bits_has_one_row() {
    let entries = entries();
    let count = |interface: &str, method: &str| {
        entries.iter().filter(|entry| entry.interface == interface && entry.method == method).count()
    };
    let mut wrong = Vec::new();
    let mut expect = |interface: &str, method: &str| {
        let found = count(interface, method);
        if found != 1 {
            wrong.push(format!("{interface}: {method} has {found} rows"));
        }
    };
    for (interface, methods) in INTERFACES {
        methods.split_whitespace().for_each(|method| expect(interface, method));
    }
    for property in JOB_PROPERTIES.split_whitespace() {
        for verb in ["SetProperty", "GetProperty"] {
            expect("IBackgroundCopyJob5", &format!("{verb} {property}"));
        }
    }
    expect("IBackgroundCopyFile5", "GetProperty HTTP_RESPONSE_HEADERS");
    assert!(wrong.is_empty(), "{PAGE}:\n{}", wrong.join("\n"));
}

#[test]
fn what_works_is_shown_by_a_test_that_is_there_and_all_else_says_why() {
    let mut wrong = Vec::new();
    let mut shown = 0;
    for Entry { interface, method, state, shown_by } in entries() {
        let row = format!("{interface} {method}");
        let Some(word) = STATES.into_iter().find(|word| state.starts_with(word)) else {
            wrong.push(format!("{row}: `{state}` is no state"));
            continue;
        };
        let has_reason =
            state[word.len()..].strip_prefix(':').is_some_and(|reason| !reason.trim().is_empty());
        if !has_reason && ["differs", "not applicable"].contains(&word) {
            wrong.push(format!("{row}: it does not say why"));
        }
        let tests: Vec<&str> = shown_by.split('`').skip(1).step_by(2).collect();
        if tests.is_empty() && ["works", "differs"].contains(&word) {
            wrong.push(format!("{row}: no test shows it"));
        }
        for test in tests {
            shown += 1;
            if !is_a_test(test) {
                wrong.push(format!("{row}: there is no test {test}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{PAGE}:\n{}", wrong.join("\n"));
    assert!(shown > 50, "only {shown} tests were found");
}

/// Whether `FILE::NAME` is a test of ours.
fn is_a_test(path: &str) -> bool {
    let Some((file, name)) = path.rsplit_once("::") else { return false };
    let text = std::fs::read_to_string(root().join(file)).unwrap_or_default();
    let head = format!("fn {name}(");
    text.split_once(&head).is_some_and(|(before, _)| {
        let above = before.rfind('\n').map_or("", |end| &before[..end]);
        let mut attributes = above.lines().rev().take_while(|line| line.trim_start().starts_with('#'));
        attributes.any(|line| line.contains("test"))
    })
}

fn entries() -> Vec<Entry> {
    let mut interface = String::new();
    let mut entries = Vec::new();
    for line in read(PAGE).lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            interface = heading.to_owned();
        } else if let Some(row) = line.strip_prefix("| ") {
            let cells: Vec<&str> = row.trim_end_matches('|').split(" | ").map(str::trim).collect();
            let [method, _, state, shown_by] = cells[..] else { panic!("{PAGE}: four cells in {line}") };
            let is_head = state == "State";
            if !is_head {
                entries.push(Entry {
                    interface: interface.clone(),
                    method: method.to_owned(),
                    state: state.to_owned(),
                    shown_by: shown_by.to_owned(),
                });
            }
        }
    }
    entries
}
