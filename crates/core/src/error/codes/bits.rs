//! BITS's own codes, `0x8020_xxxx` and `0x0020_xxxx`, and the few that belong to no facility
//! (`bits.md` §12.1).
//!
//! Numbers and names are BITS's; the sentences are ours. Codes that only Windows raises are here
//! too, because tools that speak about them exist; their advice says so.

use super::{Heals::*, Row, table};

/// Ascending by number.
pub(super) const BITS: &[Row] = table! {
    0x0020_0006, BG_S_ERROR_CONTEXT_NONE, NotAnError:
        "The number of the words for \"no error\"; nothing has failed.",
        "Nothing needs to be done.";
    0x0020_0017, BG_S_PARTIAL_COMPLETE, NotAnError:
        "The job was completed before all its files had arrived: finished files are in place, the rest was deleted.",
        "If a file is missing, download it again with a new job, for example `bits get URL`.";
    0x0020_001A, BG_S_UNABLE_TO_DELETE_FILES, NotAnError:
        "The job is over, but partial files of it could not be removed from the disk.",
        "Remove the hidden partial files beside the destination yourself.";
    0x0020_002A, BG_S_PROXY_CHANGED, NotAnError:
        "The proxy to be used is another one than before.",
        "Nothing needs to be done; the transfer goes on by the new proxy.";
    0x0020_0055, BG_S_OVERRIDDEN_BY_POLICY, NotAnError:
        "Your setting was stored, but a policy of this machine overrules it.",
        "Ask whoever administers this machine if the policy stands in your way.";
    0x8020_0001, BG_E_NOT_FOUND, Never:
        "There is no such job.",
        "`bits list` shows the jobs that exist; a job that is completed or cancelled leaves the list.";
    0x8020_0002, BG_E_INVALID_STATE, Never:
        "The job is in a state in which this is not possible.",
        "`bits show JOB` tells the state; a job that is completed or cancelled cannot be changed any more.";
    0x8020_0003, BG_E_EMPTY, Never:
        "The job has no files, so there is nothing to transfer.",
        "Add a file with `bits add JOB URL PATH`, then run `bits resume JOB` again.";
    0x8020_0004, BG_E_FILE_NOT_AVAILABLE, Never:
        "The error does not concern one file, so there is no file to name.",
        "Read the job's error as a whole with `bits show JOB`.";
    0x8020_0005, BG_E_PROTOCOL_NOT_AVAILABLE, Never:
        "The error did not happen in a transfer protocol, so there is no protocol to name.",
        "Read the job's error as a whole with `bits show JOB`.";
    0x8020_0007, BG_E_ERROR_CONTEXT_UNKNOWN, NotAnError:
        "The number of the words \"while doing something unknown\"; it says where an error happened, not which.",
        "Look at the error's own code with `bits show JOB`.";
    0x8020_0008, BG_E_ERROR_CONTEXT_GENERAL_QUEUE_MANAGER, NotAnError:
        "The number of the words \"in the queue\"; it says where an error happened, not which.",
        "Look at the error's own code with `bits show JOB`.";
    0x8020_0009, BG_E_ERROR_CONTEXT_LOCAL_FILE, NotAnError:
        "The number of the words \"at the local file\"; it says where an error happened, not which.",
        "Look at the error's own code with `bits show JOB`.";
    0x8020_000A, BG_E_ERROR_CONTEXT_REMOTE_FILE, NotAnError:
        "The number of the words \"at the remote file\"; it says where an error happened, not which.",
        "Look at the error's own code with `bits show JOB`.";
    0x8020_000B, BG_E_ERROR_CONTEXT_GENERAL_TRANSPORT, NotAnError:
        "The number of the words \"on the way to the server\"; it says where an error happened, not which.",
        "Look at the error's own code with `bits show JOB`.";
    0x8020_000C, BG_E_ERROR_CONTEXT_QUEUE_MANAGER_NOTIFICATION, NotAnError:
        "The number of the words \"while notifying the owner\"; it says where an error happened, not which.",
        "Look at the error's own code with `bits show JOB`.";
    0x8020_000D, BG_E_DESTINATION_LOCKED, ByTime:
        "The disk that the file goes to is not mounted.",
        "Mount it again; the job goes on by itself.";
    0x8020_000E, BG_E_VOLUME_CHANGED, ByTime:
        "Another disk is mounted where the destination was.",
        "Mount the first disk again; the job goes on by itself.";
    0x8020_000F, BG_E_ERROR_INFORMATION_UNAVAILABLE, NotAnError:
        "The job has no error to tell about.",
        "Nothing needs to be done; `bits show JOB` tells how the job is.";
    0x8020_0010, BG_E_NETWORK_DISCONNECTED, ByTime:
        "This machine has no network at the moment.",
        "Connect it to a network; the job then goes on by itself.";
    0x8020_0011, BG_E_MISSING_FILE_SIZE, Never:
        "The server did not say how large the file is.",
        "Use an address that names a plain file, or ask the server's administrator why Content-Length is missing.";
    0x8020_0012, BG_E_INSUFFICIENT_HTTP_SUPPORT, Never:
        "The server, or a proxy before it, does not speak HTTP/1.1 well enough.",
        "Use another server, or another way to this one.";
    0x8020_0013, BG_E_INSUFFICIENT_RANGE_SUPPORT, Never:
        "The server, a proxy or a filter in between did not honour a request for a part of the file.",
        "Ask for the whole file instead of ranges, or use another server or proxy.";
    0x8020_0014, BG_E_REMOTE_NOT_SUPPORTED, Never:
        "The service of one machine was asked to work for another machine.",
        "Run the command on the machine that is to transfer.";
    0x8020_0015, BG_E_NEW_OWNER_DIFF_MAPPING, Never:
        "The new owner of the job sees other drives than the old one.",
        "Make a new job as the user who needs the files; only Windows raises this.";
    0x8020_0016, BG_E_NEW_OWNER_NO_FILE_ACCESS, Never:
        "The new owner of the job may not use the job's files.",
        "Give the new owner the right to write the files, or make a new job elsewhere.";
    0x8020_0018, BG_E_PROXY_LIST_TOO_LARGE, Never:
        "The list of proxies is too long.",
        "Name fewer proxies.";
    0x8020_0019, BG_E_PROXY_BYPASS_LIST_TOO_LARGE, Never:
        "The list of hosts that need no proxy is too long.",
        "Name fewer hosts, or a domain in place of its hosts.";
    0x8020_001B, BG_E_INVALID_SERVER_RESPONSE, Never:
        "What the server answered breaks the rules of the protocol.",
        "Run `bits resume JOB` once; if it comes back, tell the server's administrator or use another server.";
    0x8020_001C, BG_E_TOO_MANY_FILES, Never:
        "An upload job can have one file, and it has one already.",
        "Make a job for each file.";
    0x8020_001D, BG_E_LOCAL_FILE_CHANGED, Never:
        "The local file changed while it was being uploaded.",
        "Cancel the job with `bits cancel JOB` and upload again when nothing writes the file.";
    0x8020_001E, BG_E_ERROR_CONTEXT_REMOTE_APPLICATION, NotAnError:
        "The number of the words \"in the program on the server\"; it says where an error happened, not which.",
        "Look at the error's own code with `bits show JOB`.";
    0x8020_001F, BG_E_SESSION_NOT_FOUND, ByTime:
        "The server no longer knows this upload.",
        "Wait: the upload starts again from its beginning.";
    0x8020_0020, BG_E_TOO_LARGE, Never:
        "The file is larger than the server accepts, or its reply is larger than 1 MiB in memory.",
        "Send a smaller file, or have the server's limit raised.";
    0x8020_0021, BG_E_STRING_TOO_LONG, Never:
        "A text is longer than is allowed for it.",
        "Shorten it; the message that came with the code names the text and its limit.";
    0x8020_0022, BG_E_CLIENT_SERVER_PROTOCOL_MISMATCH, Never:
        "Client and server have no version of the upload protocol in common.",
        "Update the older of the two.";
    0x8020_0023, BG_E_SERVER_EXECUTE_ENABLE, Never:
        "The server would run what is uploaded to this folder, so it takes no uploads there.",
        "Ask the server's administrator to forbid scripts in the folder.";
    0x8020_0024, BG_E_NO_PROGRESS, Never:
        "Attempts succeed, but the transfer does not get any further.",
        "Look for a proxy or filter that cuts transfers, then run `bits resume JOB`.";
    0x8020_0025, BG_E_USERNAME_TOO_LARGE, Never:
        "The user name is longer than 300 characters.",
        "Give a shorter one with `bits credentials set JOB --user …`.";
    0x8020_0026, BG_E_PASSWORD_TOO_LARGE, Never:
        "The password is longer than 65,536 characters.",
        "Check that the right file was given to `bits credentials set JOB --password-file …`.";
    0x8020_0027, BG_E_INVALID_AUTH_TARGET, Never:
        "Credentials can be for the server or for the proxy, and this was neither.",
        "Give `--target server` or `--target proxy` to `bits credentials set`.";
    0x8020_0028, BG_E_INVALID_AUTH_SCHEME, Never:
        "This way of signing in is not known.",
        "Give `--scheme basic`, `digest`, `ntlm` or `negotiate` to `bits credentials set`.";
    0x8020_0029, BG_E_FILE_NOT_FOUND, Never:
        "The job has no file of that name.",
        "`bits show JOB` lists the files of the job.";
    0x8020_002B, BG_E_INVALID_RANGE, Never:
        "A range lies outside the file, or is none.",
        "Write ranges as OFFSET:LENGTH or OFFSET:eof, inside the file.";
    0x8020_002C, BG_E_OVERLAPPING_RANGES, Never:
        "Two ranges of a file have bytes in common.",
        "Give ranges that do not overlap.";
    0x8020_002D, BG_E_CONNECT_FAILURE, ByTime:
        "No connection to the server could be made.",
        "Wait for the next attempt, or check address, network and proxy and run `bits resume JOB`.";
    0x8020_002E, BG_E_CONNECTION_CLOSED, ByTime:
        "The connection was closed before everything had arrived.",
        "Wait: the job tries again and goes on where it was.";
    0x8020_003E, BG_E_BLOCKED_BY_POLICY, ByTime:
        "The policy of this machine allows no bandwidth for background transfers now.",
        "Wait for the interval to end, or ask whoever administers this machine.";
    0x8020_003F, BG_E_INVALID_PROXY_INFO, Never:
        "The proxy settings cannot be understood.",
        "Correct the part that the message names, in the job or in the environment, then run `bits resume JOB`.";
    0x8020_0040, BG_E_INVALID_CREDENTIALS, Never:
        "The job's credentials are malformed, or the stored ones could not be opened.",
        "Set them again with `bits credentials set JOB --prompt`, then run `bits resume JOB`.";
    0x8020_0041, BG_E_INVALID_HASH_ALGORITHM, Never:
        "A peer named a hash that is not known.",
        "Nothing can be done here; only the peer cache of Windows raises this.";
    0x8020_0042, BG_E_RECORD_DELETED, Never:
        "The record of the peer cache is gone.",
        "Nothing can be done here; only the peer cache of Windows raises this.";
    0x8020_0043, BG_E_COMMIT_IN_PROGRESS, ByTime:
        "The record of the peer cache is being written.",
        "Try again in a moment; only the peer cache of Windows raises this.";
    0x8020_0044, BG_E_DISCOVERY_IN_PROGRESS, ByTime:
        "Peers are still being looked for.",
        "Try again in a moment; only the peer cache of Windows raises this.";
    0x8020_0045, BG_E_UPNP_ERROR, ByTime:
        "The gateway could not be asked how busy the network is.",
        "Nothing needs to be done; only Windows asks gateways.";
    0x8020_0046, BG_E_TEST_OPTION_BLOCKED_DOWNLOAD, Never:
        "A setting meant for tests stops this download.",
        "Take the test setting away; only Windows has it.";
    0x8020_0047, BG_E_PEERCACHING_DISABLED, Never:
        "Sharing with peers is switched off.",
        "Nothing needs to be done; only Windows has a peer cache.";
    0x8020_0048, BG_E_BUSYCACHERECORD, ByTime:
        "The record of the peer cache is in use.",
        "Try again in a moment; only the peer cache of Windows raises this.";
    0x8020_0049, BG_E_TOO_MANY_JOBS_PER_USER, Never:
        "You have as many jobs as one user may have.",
        "Complete or cancel some of those that `bits list` shows.";
    0x8020_0050, BG_E_TOO_MANY_JOBS_PER_MACHINE, Never:
        "The service has as many jobs as it may have in all.",
        "Complete or cancel some jobs, or ask whoever administers this machine to raise the limit.";
    0x8020_0051, BG_E_TOO_MANY_FILES_IN_JOB, Never:
        "The job has as many files as a job may have.",
        "Put the other files into another job.";
    0x8020_0052, BG_E_TOO_MANY_RANGES_IN_FILE, Never:
        "More ranges were asked of one file than are allowed.",
        "Ask for fewer, larger ranges.";
    0x8020_0053, BG_E_VALIDATION_FAILED, Never:
        "The file arrived, but its content was found to be wrong.",
        "Check the expected content; `bits resume JOB` downloads the file again.";
    0x8020_0054, BG_E_MAXDOWNLOAD_TIMEOUT, Never:
        "The time allowed for the download is used up.",
        "Run `bits resume JOB` to give it the same time once more.";
    0x8020_0056, BG_E_TOKEN_REQUIRED, Never:
        "The job needs a second identity that is no longer there.",
        "Give it again and run `bits resume JOB`; only Windows has helper tokens.";
    0x8020_0057, BG_E_UNKNOWN_PROPERTY_ID, Never:
        "There is no such property.",
        "`bits set --help` lists the properties there are.";
    0x8020_0058, BG_E_READ_ONLY_PROPERTY, Never:
        "This property can be read but not set.",
        "Leave it as it is.";
    0x8020_0059, BG_E_BLOCKED_BY_COST_TRANSFER_POLICY, ByTime:
        "The network in use costs more than the job may spend.",
        "Wait for a cheaper network, or allow this one in the job's properties.";
    0x8020_0060, BG_E_PROPERTY_SUPPORTED_FOR_DOWNLOAD_JOBS_ONLY, Never:
        "Only download jobs have this property.",
        "Leave it out for an upload.";
    0x8020_0061, BG_E_READ_ONLY_PROPERTY_AFTER_ADDFILE, Never:
        "This property can only be set before the first file is added.",
        "Make a new job with `bits create`, set the property, then add the files.";
    0x8020_0062, BG_E_READ_ONLY_PROPERTY_AFTER_RESUME, Never:
        "This property can only be set before the job is first resumed.",
        "Make a new job with `bits create`, set the property, then resume it.";
    0x8020_0063, BG_E_MAX_DOWNLOAD_SIZE_INVALID_VALUE, Never:
        "The largest size to download cannot be zero.",
        "Give a number of bytes above zero.";
    0x8020_0064, BG_E_MAX_DOWNLOAD_SIZE_LIMIT_REACHED, Never:
        "The job would download more than it is allowed to.",
        "Make a new job with a higher limit if the size is right.";
    0x8020_0065, BG_E_STANDBY_MODE, ByTime:
        "The machine saves power, so background transfers rest.",
        "Wait until it is awake again, or make the job urgent with `bits set JOB priority=foreground`.";
    0x8020_0066, BG_E_USE_STORED_CREDENTIALS_NOT_SUPPORTED, Never:
        "Stored credentials can be used for the proxy only.",
        "Set the server's credentials with `bits credentials set JOB`.";
    0x8020_0067, BG_E_BLOCKED_BY_BATTERY_POLICY, ByTime:
        "The machine runs on its battery, and the policy keeps background transfers for mains power.",
        "Plug it in; the job then goes on by itself.";
    0x8020_0068, BG_E_BLOCKED_BY_BATTERY_SAVER, ByTime:
        "The machine is saving its battery, so background transfers rest.",
        "Plug it in or end the saving; the job then goes on by itself.";
    0x8020_0069, BG_E_WATCHDOG_TIMEOUT, ByTime:
        "A step inside the service took too long and was given up.",
        "Wait for the next attempt; if it comes back, look into the log that `bits service status` names.";
    0x8020_006A, BG_E_APP_PACKAGE_NOT_FOUND, Never:
        "The app that owns the job is not installed.",
        "Nothing can be done here; only Windows ties jobs to app packages.";
    0x8020_006B, BG_E_APP_PACKAGE_SCENARIO_NOT_SUPPORTED, Never:
        "An app package cannot use the service in this way.",
        "Nothing can be done here; only Windows ties jobs to app packages.";
    0x8020_006C, BG_E_DATABASE_CORRUPT, Never:
        "The service's record of its jobs is damaged.",
        "Start the service again with `bits service start`: it moves the damaged record aside and tells where to.";
    0x8020_006D, BG_E_RANDOM_ACCESS_NOT_SUPPORTED, Never:
        "This file cannot be fetched in an order of your choice.",
        "Fetch it from beginning to end.";
    0x8020_006E, BG_E_BLOCKED_BY_BACKGROUND_ACCESS_POLICY, ByTime:
        "The owner's program may not work in the background now.",
        "Wait, or allow it in the system's settings.";
    0x8020_006F, BG_E_BLOCKED_BY_GAME_MODE, ByTime:
        "A game is running, so background transfers rest.",
        "Wait until it ends, or make the job urgent with `bits set JOB priority=foreground`.";
    0x8020_0070, BG_E_BLOCKED_BY_SYSTEM_POLICY, ByTime:
        "The system is short of resources, so background transfers rest.",
        "Wait: the job goes on when there is room again.";
    0x8020_0071, BG_E_NOT_SUPPORTED_WITH_CUSTOM_HTTP_METHOD, Never:
        "A job with an HTTP method of its own cannot do this.",
        "Make a job with the usual method.";
    0x8020_0072, BG_E_UNSUPPORTED_JOB_CONFIGURATION, Never:
        "Properties of the job contradict each other.",
        "Compare them in `bits show JOB`, and change one with `bits set JOB key=value`.";
    0x8020_0073, BG_E_REMOTE_FILE_CHANGED, Never:
        "The file on the server changed during the transfer.",
        "Run `bits resume JOB` to fetch the new one from its beginning.";
    0x8020_0074, BG_E_SERVER_CERT_VALIDATION_INTERFACE_REQUIRED, ByTime:
        "The program that was to check the server's certificate is gone.",
        "Start that program again; the job is tried again by itself and asks it anew.";
    0x8020_0075, BG_E_READ_ONLY_WHEN_JOB_ACTIVE, Never:
        "This property cannot be changed while the job is at work.",
        "Run `bits suspend JOB`, change it, then `bits resume JOB`.";
    0x8020_0076, BG_E_ERROR_CONTEXT_SERVER_CERTIFICATE_CALLBACK, NotAnError:
        "The number of the words \"while checking the server's certificate\"; it says where an error happened, not which.",
        "Look at the error's own code with `bits show JOB`.";
};

/// Outcomes without a facility. Ascending by number.
pub(super) const GENERAL: &[Row] = table! {
    0x0000_0000, S_OK, NotAnError:
        "It worked.",
        "Nothing needs to be done.";
    0x0000_0001, S_FALSE, NotAnError:
        "It worked, but there was nothing to do or to find.",
        "Nothing needs to be done.";
    0x8000_000A, E_PENDING, ByTime:
        "What was asked for is not ready yet.",
        "Ask again when the file has arrived; `bits watch JOB` waits for it.";
    0x8000_4001, E_NOTIMPL, Never:
        "This is not done for a job of this kind.",
        "See in `bits show JOB` of which type the job is.";
    0x8000_4005, E_FAIL, Never:
        "Something failed, and no better code is known for it.",
        "The message that came with the code says more; so does the log that `bits service status` names.";
    0x8000_4021, CO_E_NOT_SUPPORTED, Never:
        "Addresses of this kind cannot be transferred.",
        "Use an address that begins with http:// or https://.";
    0x8000_FFFF, E_UNEXPECTED, Never:
        "The service met something that should not be possible.",
        "Please report it with the log that `bits service status` names.";
};
