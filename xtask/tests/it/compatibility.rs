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

/// What the methods refuse (`bits.md` §1, §7, §12), by method and the names of the codes.
const REFUSALS: &[(&str, &str)] = &[
    ("CreateJob", "E_INVALIDARG BG_E_TOO_MANY_JOBS_PER_USER BG_E_TOO_MANY_JOBS_PER_MACHINE E_ACCESSDENIED"),
    ("GetJob", "BG_E_NOT_FOUND E_ACCESSDENIED"),
    ("EnumJobs", "E_ACCESSDENIED E_INVALIDARG"),
    ("GetErrorDescription", "ERROR_RESOURCE_LANG_NOT_FOUND E_INVALIDARG"),
    ("Next", "E_INVALIDARG"),
    ("AddFileSet", "BG_E_TOO_MANY_FILES BG_E_TOO_MANY_FILES_IN_JOB"),
    (
        "AddFile",
        "E_INVALIDARG CO_E_NOT_SUPPORTED E_ACCESSDENIED ERROR_PATH_NOT_FOUND ERROR_NOT_LOGGED_ON \
         BG_E_INVALID_STATE",
    ),
    ("Suspend", "BG_E_INVALID_STATE"),
    ("Resume", "BG_E_EMPTY BG_E_INVALID_STATE"),
    ("Cancel", "BG_E_INVALID_STATE"),
    ("Complete", "BG_E_INVALID_STATE"),
    ("GetError", "BG_E_ERROR_INFORMATION_UNAVAILABLE"),
    ("SetDisplayName", "BG_E_STRING_TOO_LONG E_INVALIDARG BG_E_INVALID_STATE"),
    ("SetDescription", "BG_E_STRING_TOO_LONG BG_E_INVALID_STATE"),
    ("SetPriority", "E_NOTIMPL BG_E_NOT_SUPPORTED_WITH_CUSTOM_HTTP_METHOD BG_E_INVALID_STATE"),
    ("SetNotifyFlags", "E_NOTIMPL BG_E_INVALID_STATE"),
    ("SetNotifyInterface", "E_NOINTERFACE"),
    ("SetMinimumRetryDelay", "BG_E_INVALID_STATE"),
    ("SetNoProgressTimeout", "BG_E_INVALID_STATE"),
    (
        "SetProxySettings",
        "E_INVALIDARG E_NOTIMPL BG_E_PROXY_LIST_TOO_LARGE BG_E_PROXY_BYPASS_LIST_TOO_LARGE BG_E_INVALID_STATE",
    ),
    (
        "TakeOwnership",
        "E_ACCESSDENIED BG_E_NEW_OWNER_NO_FILE_ACCESS BG_E_NEW_OWNER_DIFF_MAPPING BG_E_INVALID_STATE",
    ),
    ("SetNotifyCmdLine", "E_INVALIDARG BG_E_STRING_TOO_LONG BG_E_INVALID_STATE"),
    ("GetReplyProgress", "E_NOTIMPL"),
    ("GetReplyData", "E_NOTIMPL"),
    ("SetReplyFileName", "E_NOTIMPL"),
    ("GetReplyFileName", "E_NOTIMPL"),
    (
        "SetCredentials",
        "BG_E_INVALID_AUTH_TARGET BG_E_INVALID_AUTH_SCHEME BG_E_USERNAME_TOO_LARGE BG_E_PASSWORD_TOO_LARGE \
         E_INVALIDARG BG_E_INVALID_CREDENTIALS E_ACCESSDENIED BG_E_INVALID_STATE",
    ),
    ("RemoveCredentials", "BG_E_INVALID_AUTH_TARGET BG_E_INVALID_AUTH_SCHEME BG_E_INVALID_STATE"),
    ("ReplaceRemotePrefix", "E_INVALIDARG E_NOTIMPL BG_E_INVALID_STATE"),
    (
        "AddFileWithRanges",
        "E_INVALIDARG BG_E_INVALID_RANGE BG_E_OVERLAPPING_RANGES BG_E_TOO_MANY_RANGES_IN_FILE \
         BG_E_INVALID_STATE",
    ),
    ("SetFileACLFlags", "E_INVALIDARG BG_E_INVALID_STATE"),
    ("SetPeerCachingFlags", "E_NOTIMPL BG_E_INVALID_STATE"),
    ("SetMaximumDownloadTime", "BG_E_INVALID_STATE"),
    (
        "SetProperty",
        "BG_E_UNKNOWN_PROPERTY_ID BG_E_READ_ONLY_PROPERTY BG_E_PROPERTY_SUPPORTED_FOR_DOWNLOAD_JOBS_ONLY \
         E_INVALIDARG BG_E_READ_ONLY_PROPERTY_AFTER_RESUME BG_E_READ_ONLY_PROPERTY_AFTER_ADDFILE \
         BG_E_MAX_DOWNLOAD_SIZE_INVALID_VALUE BG_E_USE_STORED_CREDENTIALS_NOT_SUPPORTED \
         BG_E_NOT_SUPPORTED_WITH_CUSTOM_HTTP_METHOD BG_E_UNSUPPORTED_JOB_CONFIGURATION BG_E_INVALID_STATE",
    ),
    ("SetClientCertificateByID", "E_INVALIDARG E_NOTIMPL ERROR_FILE_NOT_FOUND CRYPT_E_NOT_FOUND"),
    ("SetClientCertificateByName", "E_INVALIDARG E_NOTIMPL ERROR_FILE_NOT_FOUND CRYPT_E_NOT_FOUND"),
    ("RemoveClientCertificate", "BG_E_INVALID_STATE"),
    ("GetClientCertificate", "RPC_X_BAD_STUB_DATA"),
    ("SetCustomHeaders", "BG_E_STRING_TOO_LONG E_ACCESSDENIED BG_E_INVALID_STATE"),
    ("GetCustomHeaders", "E_ACCESSDENIED"),
    ("SetSecurityFlags", "E_NOTIMPL BG_E_INVALID_STATE"),
    (
        "SetHttpMethod",
        "BG_E_READ_ONLY_PROPERTY_AFTER_RESUME BG_E_NOT_SUPPORTED_WITH_CUSTOM_HTTP_METHOD E_INVALIDARG \
         BG_E_INVALID_STATE",
    ),
    ("SetServerCertificateValidationInterface", "BG_E_READ_ONLY_WHEN_JOB_ACTIVE"),
    ("MakeCustomHeadersWriteOnly", "BG_E_INVALID_STATE"),
    ("SetRemoteName", "E_INVALIDARG E_NOTIMPL BG_E_INVALID_STATE"),
    ("SetValidationState", "E_PENDING BG_E_RECORD_DELETED"),
    ("GetValidationState", "E_PENDING"),
    ("RequestFileRanges", "BG_E_INVALID_RANGE BG_E_RANDOM_ACCESS_NOT_SUPPORTED"),
    ("GetFilledFileRanges", "BG_E_RANDOM_ACCESS_NOT_SUPPORTED"),
    ("UpdateDownloadPosition", "BG_E_INVALID_RANGE BG_E_RANDOM_ACCESS_NOT_SUPPORTED"),
    ("GetFile", "BG_E_FILE_NOT_AVAILABLE BG_E_FILE_NOT_FOUND"),
    ("GetProtocol", "BG_E_PROTOCOL_NOT_AVAILABLE"),
    ("GetErrorContextDescription", "ERROR_RESOURCE_LANG_NOT_FOUND"),
    ("SetHelperTokenFlags", "E_NOTIMPL BG_E_INVALID_STATE"),
    ("SetHelperToken", "CO_E_FAILEDTOIMPERSONATE E_ACCESSDENIED"),
    ("Peer cache", "BG_E_BUSYCACHERECORD BG_E_DISCOVERY_IN_PROGRESS BG_E_PEERCACHING_DISABLED"),
];

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

/// That the row is true is shown by the test that it names; the one with the table of refusals asks for
/// just those that name it.
#[test]
fn every_refusal_of_bits_has_one_row() {
    let entries = entries();
    let mut wrong = Vec::new();
    for (method, codes) in REFUSALS {
        for name in codes.split_whitespace() {
            let refusal = format!("{method} {name}");
            let is_it = |row: &&Entry| row.interface == "Refusals" && row.method == refusal;
            let found = entries.iter().filter(is_it).count();
            if found != 1 {
                wrong.push(format!("{refusal} has {found} rows"));
            }
        }
    }
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
