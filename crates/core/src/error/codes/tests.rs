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
