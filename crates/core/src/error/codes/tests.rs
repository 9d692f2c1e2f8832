//! That the tables keep their promises, and that codes are found however they are written.

use super::*;
use alloc::collections::BTreeSet;
use alloc::string::ToString;
use alloc::vec::Vec;

/// Every row with the code it stands for.
fn rows() -> Vec<(Code, &'static Row)> {
    let whole = [bits::GENERAL, bits::BITS, security::SECURITY].into_iter().flatten();
    let statuses = http::HTTP.iter().map(|row| (Code(http::FACILITY + row.number), row));
    let errors = system::SYSTEM.iter().map(|row| (Code(system::FACILITY + row.number), row));
    whole.map(|row| (Code(row.number), row)).chain(statuses).chain(errors).collect()
}

#[test]
fn every_table_is_sorted_and_has_each_number_once() {
    for table in [bits::GENERAL, bits::BITS, security::SECURITY, http::HTTP, system::SYSTEM] {
        for pair in table.windows(2) {
            assert!(pair[0].number < pair[1].number, "{} before {}", pair[0].name, pair[1].name);
        }
    }
}

#[test]
fn the_page_about_symptoms_has_each_code_as_the_table_has_it() {
    let page = include_str!("../../../../../docs/troubleshooting.md");
    let mut count = 0;
    // `NAME` (`0x…`), or after a sentence: (`NAME`, `0x…`).
    for (place, _) in page.match_indices("`0x") {
        let number = page[place + 3..].split('`').next().unwrap();
        let code = Code(u32::from_str_radix(number, 16).unwrap());
        let name = page[..place].rsplit('`').nth(1).unwrap();
        assert_eq!(named(name), Some(code), "{name} {number}");
        count += 1;
    }
    assert!(count > 15, "only {count} codes were found");
}

#[test]
fn no_name_stands_for_two_codes() {
    let mut names: Vec<&str> = rows().into_iter().map(|(_, row)| row.name).collect();
    names.extend(aliases().map(|(_, name)| name));
    let count = names.len();
    assert_eq!(names.into_iter().collect::<BTreeSet<_>>().len(), count);
}

#[test]
fn every_row_is_found_by_its_code_and_by_its_name() {
    for (code, row) in rows() {
        let description = describe(code).unwrap();
        assert_eq!((description.code, &*description.meaning), (code, row.meaning));
        assert_eq!(named(row.name), Some(code));
        assert_eq!(named(&code.name()), Some(code));
        assert_eq!(parse(&row.name.to_lowercase()), Some(code));
        assert_eq!(parse(&code.to_string()), Some(code));
    }
}

#[test]
fn every_row_is_two_plain_sentences() {
    for (_, row) in rows() {
        for sentence in [row.meaning, row.advice] {
            assert!(sentence.ends_with('.') && !sentence.contains('\n'), "{}: {sentence}", row.name);
            assert!(!sentence.contains(". "), "{}: one sentence, please: {sentence}", row.name);
            assert!(sentence.len() <= 140, "{}: too long: {sentence}", row.name);
        }
    }
}

#[test]
fn advice_names_only_commands_that_exist() {
    const COMMANDS: [&str; 13] = [
        "get",
        "create",
        "add",
        "credentials",
        "resume",
        "suspend",
        "complete",
        "cancel",
        "list",
        "show",
        "watch",
        "set",
        "service",
    ];
    for (_, row) in rows() {
        for quoted in row.advice.split("`bits ").skip(1) {
            let command = quoted.split([' ', '`']).next().unwrap();
            assert!(COMMANDS.contains(&command), "{}: there is no `bits {command}`", row.name);
            assert!(!quoted.contains("proxy="), "{}: no proxy can be set yet", row.name);
        }
    }
}

#[test]
fn whether_a_status_heals_follows_the_table_of_http_codes() {
    const FATAL: [u16; 29] = [
        300, 301, 302, 303, 304, 305, 307, 308, 400, 401, 402, 403, 404, 405, 406, 407, 410, 411, 412, 413,
        414, 415, 416, 417, 449, 451, 501, 505, 418,
    ];
    const TRANSIENT: [u16; 18] =
        [100, 101, 200, 201, 202, 203, 204, 205, 206, 408, 409, 429, 500, 502, 503, 504, 511, 599];
    for status in FATAL {
        assert_eq!(describe(Code::http(status)).unwrap().heals, Heals::Never, "{status}");
    }
    for status in TRANSIENT {
        assert_eq!(describe(Code::http(status)).unwrap().heals, Heals::ByTime, "{status}");
    }
    for row in http::HTTP {
        assert_eq!(row.heals, http::heals(row.number as u16), "{}", row.name);
    }
}

#[test]
fn what_a_job_tries_again_after_heals_by_time_in_the_table_too() {
    use crate::certificates::Rejection;
    use crate::transfer::TransportFault;

    let faults = TransportFault::ALL.into_iter().map(|fault| (fault.code(), fault.is_transient()));
    let gone = Rejection::Gone.error("h.test:443", crate::file::FileIndex(0));
    for (code, is_transient) in faults.chain([(gone.code, gone.transient)]) {
        let heals = if is_transient { Heals::ByTime } else { Heals::Never };
        assert_eq!(describe(code).unwrap().heals, heals, "{code}");
    }
}

#[test]
fn only_codes_without_the_failure_bit_or_of_a_context_are_no_errors() {
    for (code, row) in rows() {
        let is_context = row.name.contains("ERROR_CONTEXT");
        let is_no_error = !code.is_failure()
            || is_context
            || ["BG_E_ERROR_INFORMATION_UNAVAILABLE", "ERROR_CANCELLED"].contains(&row.name);
        assert_eq!(row.heals == Heals::NotAnError, is_no_error, "{}", row.name);
    }
}

#[test]
fn every_code_that_we_raise_has_an_entry() {
    let raised = [
        Code::PARTIAL_COMPLETE,
        Code::UNABLE_TO_DELETE_FILES,
        Code::NOT_FOUND,
        Code::INVALID_STATE,
        Code::EMPTY,
        Code::INVALID_SERVER_RESPONSE,
        Code::STRING_TOO_LONG,
        Code::USER_NAME_TOO_LARGE,
        Code::PASSWORD_TOO_LARGE,
        Code::INVALID_AUTH_TARGET,
        Code::INVALID_AUTH_SCHEME,
        Code::INVALID_CREDENTIALS,
        Code::DATABASE_CORRUPT,
        Code::ACCESS_DENIED,
        Code::FILE_NOT_FOUND,
        Code::PATH_NOT_FOUND,
        Code::INVALID_ARGUMENT,
        Code::DISK_FULL,
        Code::FILE_EXISTS,
        Code::REVISION_MISMATCH,
        Code::UNSPECIFIED,
        Code::UNEXPECTED,
        Code::TIMEOUT,
        Code::NAME_NOT_RESOLVED,
        Code::CANNOT_CONNECT,
        Code::CONNECTION_ABORTED,
        Code::HTTP_UNAUTHORIZED,
        Code::MUTUAL_AUTH_FAILED,
        Code::INVALID_TOKEN,
        Code::UNKNOWN_CREDENTIALS,
    ];
    for code in raised {
        assert!(rows().iter().any(|(known, _)| *known == code), "{code}");
    }
    let asked = [
        Code::INVALID_PARAMETER,
        Code::INSUFFICIENT_BUFFER,
        Code::CANCELLED,
        Code::NO_SUCH_LOGON_SESSION,
        Code::INVALID_ACCOUNT_NAME,
        Code::NO_SUCH_PACKAGE,
        Code::PROMPT_TIMED_OUT,
    ];
    for code in asked {
        assert!(describe(code).is_some(), "{code}");
        assert_eq!(
            describe(Code(system::FACILITY + code.0)).unwrap().meaning,
            describe(code).unwrap().meaning
        );
    }
}

/// Every code of the reference (`bits.md` §12.1): number and name.
#[test]
fn every_code_of_bits_has_its_number_name_and_words() {
    let listed = [
        (0x0020_0006, "BG_S_ERROR_CONTEXT_NONE"),
        (0x0020_0017, "BG_S_PARTIAL_COMPLETE"),
        (0x0020_001A, "BG_S_UNABLE_TO_DELETE_FILES"),
        (0x0020_002A, "BG_S_PROXY_CHANGED"),
        (0x0020_0055, "BG_S_OVERRIDDEN_BY_POLICY"),
        (0x8020_0001, "BG_E_NOT_FOUND"),
        (0x8020_0002, "BG_E_INVALID_STATE"),
        (0x8020_0003, "BG_E_EMPTY"),
        (0x8020_0004, "BG_E_FILE_NOT_AVAILABLE"),
        (0x8020_0005, "BG_E_PROTOCOL_NOT_AVAILABLE"),
        (0x8020_0007, "BG_E_ERROR_CONTEXT_UNKNOWN"),
        (0x8020_0008, "BG_E_ERROR_CONTEXT_GENERAL_QUEUE_MANAGER"),
        (0x8020_0009, "BG_E_ERROR_CONTEXT_LOCAL_FILE"),
        (0x8020_000A, "BG_E_ERROR_CONTEXT_REMOTE_FILE"),
        (0x8020_000B, "BG_E_ERROR_CONTEXT_GENERAL_TRANSPORT"),
        (0x8020_000C, "BG_E_ERROR_CONTEXT_QUEUE_MANAGER_NOTIFICATION"),
        (0x8020_000D, "BG_E_DESTINATION_LOCKED"),
        (0x8020_000E, "BG_E_VOLUME_CHANGED"),
        (0x8020_000F, "BG_E_ERROR_INFORMATION_UNAVAILABLE"),
        (0x8020_0010, "BG_E_NETWORK_DISCONNECTED"),
        (0x8020_0011, "BG_E_MISSING_FILE_SIZE"),
        (0x8020_0012, "BG_E_INSUFFICIENT_HTTP_SUPPORT"),
        (0x8020_0013, "BG_E_INSUFFICIENT_RANGE_SUPPORT"),
        (0x8020_0014, "BG_E_REMOTE_NOT_SUPPORTED"),
        (0x8020_0015, "BG_E_NEW_OWNER_DIFF_MAPPING"),
        (0x8020_0016, "BG_E_NEW_OWNER_NO_FILE_ACCESS"),
        (0x8020_0018, "BG_E_PROXY_LIST_TOO_LARGE"),
        (0x8020_0019, "BG_E_PROXY_BYPASS_LIST_TOO_LARGE"),
        (0x8020_001B, "BG_E_INVALID_SERVER_RESPONSE"),
        (0x8020_001C, "BG_E_TOO_MANY_FILES"),
        (0x8020_001D, "BG_E_LOCAL_FILE_CHANGED"),
        (0x8020_001E, "BG_E_ERROR_CONTEXT_REMOTE_APPLICATION"),
        (0x8020_001F, "BG_E_SESSION_NOT_FOUND"),
        (0x8020_0020, "BG_E_TOO_LARGE"),
        (0x8020_0021, "BG_E_STRING_TOO_LONG"),
        (0x8020_0022, "BG_E_CLIENT_SERVER_PROTOCOL_MISMATCH"),
        (0x8020_0023, "BG_E_SERVER_EXECUTE_ENABLE"),
        (0x8020_0024, "BG_E_NO_PROGRESS"),
        (0x8020_0025, "BG_E_USERNAME_TOO_LARGE"),
        (0x8020_0026, "BG_E_PASSWORD_TOO_LARGE"),
        (0x8020_0027, "BG_E_INVALID_AUTH_TARGET"),
        (0x8020_0028, "BG_E_INVALID_AUTH_SCHEME"),
        (0x8020_0029, "BG_E_FILE_NOT_FOUND"),
        (0x8020_002B, "BG_E_INVALID_RANGE"),
        (0x8020_002C, "BG_E_OVERLAPPING_RANGES"),
        (0x8020_002D, "BG_E_CONNECT_FAILURE"),
        (0x8020_002E, "BG_E_CONNECTION_CLOSED"),
        (0x8020_003E, "BG_E_BLOCKED_BY_POLICY"),
        (0x8020_003F, "BG_E_INVALID_PROXY_INFO"),
        (0x8020_0040, "BG_E_INVALID_CREDENTIALS"),
        (0x8020_0041, "BG_E_INVALID_HASH_ALGORITHM"),
        (0x8020_0042, "BG_E_RECORD_DELETED"),
        (0x8020_0043, "BG_E_COMMIT_IN_PROGRESS"),
        (0x8020_0044, "BG_E_DISCOVERY_IN_PROGRESS"),
        (0x8020_0045, "BG_E_UPNP_ERROR"),
        (0x8020_0046, "BG_E_TEST_OPTION_BLOCKED_DOWNLOAD"),
        (0x8020_0047, "BG_E_PEERCACHING_DISABLED"),
        (0x8020_0048, "BG_E_BUSYCACHERECORD"),
        (0x8020_0049, "BG_E_TOO_MANY_JOBS_PER_USER"),
        (0x8020_0050, "BG_E_TOO_MANY_JOBS_PER_MACHINE"),
        (0x8020_0051, "BG_E_TOO_MANY_FILES_IN_JOB"),
        (0x8020_0052, "BG_E_TOO_MANY_RANGES_IN_FILE"),
        (0x8020_0053, "BG_E_VALIDATION_FAILED"),
        (0x8020_0054, "BG_E_MAXDOWNLOAD_TIMEOUT"),
        (0x8020_0056, "BG_E_TOKEN_REQUIRED"),
        (0x8020_0057, "BG_E_UNKNOWN_PROPERTY_ID"),
        (0x8020_0058, "BG_E_READ_ONLY_PROPERTY"),
        (0x8020_0059, "BG_E_BLOCKED_BY_COST_TRANSFER_POLICY"),
        (0x8020_0060, "BG_E_PROPERTY_SUPPORTED_FOR_DOWNLOAD_JOBS_ONLY"),
        (0x8020_0061, "BG_E_READ_ONLY_PROPERTY_AFTER_ADDFILE"),
        (0x8020_0062, "BG_E_READ_ONLY_PROPERTY_AFTER_RESUME"),
        (0x8020_0063, "BG_E_MAX_DOWNLOAD_SIZE_INVALID_VALUE"),
        (0x8020_0064, "BG_E_MAX_DOWNLOAD_SIZE_LIMIT_REACHED"),
        (0x8020_0065, "BG_E_STANDBY_MODE"),
        (0x8020_0066, "BG_E_USE_STORED_CREDENTIALS_NOT_SUPPORTED"),
        (0x8020_0067, "BG_E_BLOCKED_BY_BATTERY_POLICY"),
        (0x8020_0068, "BG_E_BLOCKED_BY_BATTERY_SAVER"),
        (0x8020_0069, "BG_E_WATCHDOG_TIMEOUT"),
        (0x8020_006A, "BG_E_APP_PACKAGE_NOT_FOUND"),
        (0x8020_006B, "BG_E_APP_PACKAGE_SCENARIO_NOT_SUPPORTED"),
        (0x8020_006C, "BG_E_DATABASE_CORRUPT"),
        (0x8020_006D, "BG_E_RANDOM_ACCESS_NOT_SUPPORTED"),
        (0x8020_006E, "BG_E_BLOCKED_BY_BACKGROUND_ACCESS_POLICY"),
        (0x8020_006F, "BG_E_BLOCKED_BY_GAME_MODE"),
        (0x8020_0070, "BG_E_BLOCKED_BY_SYSTEM_POLICY"),
        (0x8020_0071, "BG_E_NOT_SUPPORTED_WITH_CUSTOM_HTTP_METHOD"),
        (0x8020_0072, "BG_E_UNSUPPORTED_JOB_CONFIGURATION"),
        (0x8020_0073, "BG_E_REMOTE_FILE_CHANGED"),
        (0x8020_0074, "BG_E_SERVER_CERT_VALIDATION_INTERFACE_REQUIRED"),
        (0x8020_0075, "BG_E_READ_ONLY_WHEN_JOB_ACTIVE"),
        (0x8020_0076, "BG_E_ERROR_CONTEXT_SERVER_CERTIFICATE_CALLBACK"),
    ];
    for (number, name) in listed {
        assert_eq!(Code(number).name(), name);
        assert!(rows().iter().any(|(code, row)| code.0 == number && row.name == name), "{name}");
    }
    // §12.2: the statuses with a constant.
    let statuses = [
        100, 101, 200, 201, 202, 203, 204, 205, 206, 300, 301, 302, 303, 304, 305, 307, 400, 401, 402, 403,
        404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 449, 500, 501, 502, 503, 504,
        505,
    ];
    for status in statuses {
        let row = http::HTTP.iter().find(|row| row.number == status);
        assert!(row.is_some(), "{status}");
    }
    // §5.3 and §5.4: what of the system's codes is commonly seen.
    let seen = [
        0x8007_2EE2,
        0x8007_2F0C,
        0x8007_2EE5,
        0x8007_2F0D,
        0x8007_2EE7,
        0x8007_2F19,
        0x8007_2EFD,
        0x8007_2F78,
        0x8007_2EFE,
        0x8007_2F7D,
        0x8007_2F05,
        0x8007_2F8A,
        0x8007_2F06,
        0x8007_2F8F,
        0x8007_2F94,
        0x8007_2F9A,
        0x8007_0002,
        0x8007_0003,
        0x8007_0005,
        0x8007_0020,
        0x8007_0057,
        0x8007_0070,
        0x8007_007B,
        0x8007_04DD,
        0x8007_0422,
        0x8007_000E,
    ];
    for number in seen {
        assert!(rows().iter().any(|(code, _)| code.0 == number), "{number:#x}");
    }
}

#[test]
fn every_code_with_a_name_in_the_source_has_an_entry() {
    let source = include_str!("../../error.rs");
    let mut count = 0;
    for line in source.lines().filter(|line| line.contains(": Self = Self(")) {
        let number = line.split("Self(").nth(1).and_then(|rest| rest.split(')').next()).expect("a number");
        let number = number.replace('_', "");
        let number = match number.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => number.parse(),
        };
        let code = Code(number.expect("a number"));
        let has_words = describe(code).is_some_and(|known| !known.name.starts_with("HRESULT_"));
        assert!(has_words, "{}", line.trim());
        count += 1;
    }
    assert!(count > 60, "only {count} codes were found");
}

#[test]
fn names_for_programs_are_the_known_constants() {
    let expected = [
        (0x8020_0003, "BG_E_EMPTY"),
        (0x8019_01F7, "BG_E_HTTP_ERROR_503"),
        (0x8019_01A2, "BG_E_HTTP_ERROR_418"),
        (0x8009_030C, "SEC_E_LOGON_DENIED"),
        (0x8007_0005, "E_ACCESSDENIED"),
        (5, "ERROR_ACCESS_DENIED"),
        (0x8007_0057, "E_INVALIDARG"),
        (0x8007_04C7, "ERROR_CANCELLED"),
        (1223, "ERROR_CANCELLED"),
        (0, "S_OK"),
        (0x8007_BEEF, "HRESULT_0x8007BEEF"),
        (0x8020_0999, "HRESULT_0x80200999"),
    ];
    for (number, name) in expected {
        assert_eq!(Code(number).name(), name);
    }
}

#[test]
fn a_code_is_understood_however_it_is_written() {
    let written = [
        ("0x80200003", Some(0x8020_0003)),
        ("0X8020001b", Some(0x8020_001B)),
        (" 0x80200003 ", Some(0x8020_0003)),
        ("80200003", Some(0x8020_0003)),
        ("8020001b", Some(0x8020_001B)),
        ("-2145386493", Some(0x8020_0003)),
        ("2149580803", Some(0x8020_0003)),
        ("404", Some(0x8019_0194)),
        ("418", Some(0x8019_01A2)),
        ("206", Some(0x8019_00CE)),
        ("122", Some(122)),
        ("112", Some(112)),
        ("1223", Some(1223)),
        ("0", Some(0)),
        ("bg_e_empty", Some(0x8020_0003)),
        ("bg_e_http_error_418", Some(0x8019_01A2)),
        ("error_cancelled", Some(0x8007_04C7)),
        ("error_access_denied", Some(0x8007_0005)),
        ("e_accessdenied", Some(0x8007_0005)),
        ("sec_e_ok", Some(0)),
        ("hresult_0x8007beef", Some(0x8007_BEEF)),
        ("", None),
        ("0x", None),
        ("0x+1", None),
        ("0x802000030", None),
        ("4294967296", None),
        ("-2147483649", None),
        ("BG_E_HTTP_ERROR_1000", None),
        ("BG_E_HTTP_ERROR_+99", None),
        ("HRESULT_0x", None),
        ("empty", None),
        ("ä", None),
    ];
    for (text, number) in written {
        assert_eq!(parse(text), number.map(Code), "{text:?}");
    }
}

#[test]
fn nothing_is_said_about_a_number_of_unknown_origin() {
    for number in [0x8020_0999, 0x8019_4000, 0xDEAD_BEEF, 1234, 0x8009_FFFF] {
        assert_eq!(describe(Code(number)), None, "{number:#x}");
    }
}

#[test]
fn an_error_of_the_system_without_an_entry_is_described_by_its_number() {
    let description = describe(Code(0x8007_BEEF)).unwrap();
    assert_eq!(description.meaning, "The system reported its error number 48879.");
}
