//! What the conformance notes of `credentials.md` Part 1 say of identities, as sentences.

use alloc::format;
use alloc::string::{String, ToString};

use super::*;

fn identity(user: Option<&str>, domain: Option<&str>, password: Option<&str>) -> Identity {
    let text = |text: Option<&str>| text.map(ToString::to_string);
    Identity::from_strings(text(user), text(domain), text(password).map(Secret::new)).unwrap()
}

fn strings(encoded: &EncodedStrings) -> (Option<&str>, Option<&str>, Option<&str>) {
    (encoded.user.as_deref(), encoded.domain.as_deref(), encoded.password.as_ref().map(Secret::expose))
}

#[test]
fn strings_go_in_and_come_out_and_absent_ones_stay_absent() {
    let scenarios = [
        (Some("anna"), Some("CORP"), Some("secret")),
        (Some("anna"), None, None),
        (None, Some("CORP"), None),
        (None, None, Some("secret")),
        (Some(""), Some(""), Some("")),
    ];
    for (user, domain, password) in scenarios {
        let identity = identity(user, domain, password);
        assert_eq!(strings(&identity.encode_as_strings()), (user, domain, password));
        assert_eq!(strings(&identity.duplicate().encode_as_strings()), (user, domain, password));
    }
}

#[test]
fn an_identity_of_nothing_is_refused() {
    let error = Identity::from_strings(None, None, None).unwrap_err();
    assert_eq!(error.code(), Code(0x8009_0308));
}

#[test]
fn a_string_beyond_its_limit_is_refused() {
    let long = |units: usize| Some("x".repeat(units));
    assert!(Identity::from_strings(long(513), long(513), long(65_536).map(Secret::new)).is_ok());
    for (user, domain, password) in
        [(long(514), None, None), (None, long(514), None), (None, None, long(65_537))]
    {
        let error = Identity::from_strings(user, domain, password.map(Secret::new)).unwrap_err();
        assert_eq!(error.code(), Code(122));
    }
}

#[test]
fn a_string_with_a_nul_is_refused() {
    let with_nul = || Some("an\0na".to_string());
    for (user, domain, password) in
        [(with_nul(), None, None), (None, with_nul(), None), (None, None, with_nul().map(Secret::new))]
    {
        let error = Identity::from_strings(user, domain, password).unwrap_err();
        assert_eq!(error.code(), Code(0x8009_035D));
    }
}

#[test]
fn after_zeroing_user_and_domain_read_and_the_secret_is_empty_but_not_absent() {
    let mut with_secret = identity(Some("anna"), Some("CORP"), Some("secret"));
    with_secret.zero();
    assert_eq!(strings(&with_secret.encode_as_strings()), (Some("anna"), Some("CORP"), Some("")));

    let mut without = identity(Some("anna"), None, None);
    without.zero();
    assert_eq!(strings(&without.encode_as_strings()), (Some("anna"), None, None));
}

#[test]
fn neither_an_identity_nor_its_strings_print_the_secret() {
    let identity = identity(Some("anna"), Some("CORP"), Some("hunter2"));
    for printed in [format!("{identity:?}"), format!("{:?}", identity.encode_as_strings())] {
        assert!(printed.contains("anna") && !printed.contains("hunter2"), "{printed}");
    }
}

#[test]
fn a_typed_user_name_is_split_as_the_table_says() {
    let accepted = [
        (r"DOMAIN\user", "user", Some("DOMAIN")),
        (r"DOMAIN\us\er", r"us\er", Some("DOMAIN")),
        (r"DOM\user@x.example", "user@x.example", Some("DOM")),
        (r".\user", "user", Some(".")),
        (r"HOST\user", "user", Some("HOST")),
        ("user@realm.example", "user@realm.example", None),
        ("a@b@realm.example", "a@b@realm.example", None),
        ("user", "user", None),
        ("Jürgen Groß", "Jürgen Groß", None),
        ("@@BAbc-#", "@@BAbc-#", None),
        (r"@@D\x", r"@@D\x", None),
    ];
    for (text, user, domain) in accepted {
        let name = UserName::parse(text).unwrap();
        assert_eq!((&*name.user, name.domain.as_deref()), (user, domain), "{text}");
    }
}

#[test]
fn a_user_name_that_cannot_be_split_is_refused_without_being_repeated() {
    let refused = [
        ("", AccountNameFault::Empty),
        (r"\user", AccountNameFault::NoDomain),
        (r"\", AccountNameFault::NoDomain),
        (r"DOM\", AccountNameFault::NoUser),
        ("@realm", AccountNameFault::NoUser),
        ("user@", AccountNameFault::NoRealm),
        ("us\ner", AccountNameFault::ControlCharacter),
        ("us\0er", AccountNameFault::ControlCharacter),
        ("us\u{9b}er", AccountNameFault::ControlCharacter),
    ];
    for (text, fault) in refused {
        let error = UserName::parse(text).unwrap_err();
        assert_eq!(error, IdentityError::AccountName(fault), "{text:?}");
        assert_eq!(error.code(), Code(1315));
    }
}

#[test]
fn a_typed_user_name_has_at_most_513_utf16_units() {
    assert!(UserName::parse(&"ä".repeat(513)).is_ok());
    assert_eq!(UserName::parse(&"x".repeat(514)).unwrap_err().code(), Code(122));
    assert_eq!(UserName::parse(&"😀".repeat(257)).unwrap_err().code(), Code(122));
}

#[test]
fn a_job_gets_the_domain_with_the_user_unless_there_is_none_or_two() {
    let scenarios = [
        ("user", "DOMAIN", r"DOMAIN\user"),
        ("user", ".", r".\user"),
        ("user", "", "user"),
        ("user@realm", "DOMAIN", r"DOMAIN\user@realm"),
        ("user@realm", "", "user@realm"),
        (r"OTHER\user", "DOMAIN", r"OTHER\user"),
    ];
    for (user, domain, expected) in scenarios {
        assert_eq!(qualified_user_name(user, domain), expected);
    }
    let encoded = identity(Some("anna"), Some("CORP"), Some("x")).encode_as_strings();
    assert_eq!(encoded.qualified_user_name().as_deref(), Some(r"CORP\anna"));
    let encoded = identity(None, Some("CORP"), Some("x")).encode_as_strings();
    assert_eq!(encoded.qualified_user_name(), None);
}

#[test]
fn a_typed_name_survives_identity_and_strings() {
    for typed in [
        r"CORP\anna",
        r".\anna",
        "anna@corp.example",
        "a@b@corp.example",
        r"MicrosoftAccount\anna@x.example",
        "@@BAbc",
        "anna",
    ] {
        let name = UserName::parse(typed).unwrap();
        let identity = Identity::from_user_name(name, Secret::new("x".to_string())).unwrap();
        assert_eq!(identity.encode_as_strings().qualified_user_name().as_deref(), Some(typed));
    }
}

#[test]
fn a_job_takes_no_more_than_the_limits_and_no_references() {
    let long = |units: usize| "x".repeat(units);
    let scenarios: [(String, String, Option<u32>); 9] = [
        (long(300), long(65_536), None),
        (long(301), long(1), Some(0x8020_0025)),
        (long(1), long(65_537), Some(0x8020_0026)),
        ("@@BAbc".to_string(), long(1), Some(0x8009_030D)),
        (long(1), "@@DAbc".to_string(), Some(0x8009_030D)),
        // Case-sensitive, and only at the beginning: other passwords may look similar.
        (long(1), "@@dAbc".to_string(), None),
        (long(1), "@@Dog!".to_string(), None),
        (long(1), "x@@DAbc".to_string(), None),
        (long(1), String::new(), None),
    ];
    for (user, password, code) in scenarios {
        let outcome = check_job_credential(&user, &Secret::new(password));
        assert_eq!(outcome.err().map(|refusal| refusal.code()), code.map(Code), "{user:.8}");
    }
}

#[test]
fn packages_are_known_by_their_sspi_names_in_any_letter_case() {
    let known = [
        ("negotiate", Package::Negotiate),
        ("KERBEROS", Package::Kerberos),
        ("ntlm", Package::Ntlm),
        ("Digest", Package::Digest),
        ("wdigest", Package::Digest),
        ("basic", Package::Basic),
    ];
    for (name, package) in known {
        assert_eq!(Package::named(name), Ok(package));
    }
    for name in ["", "Schannel", "Negotiate "] {
        assert_eq!(Package::named(name).unwrap_err().code(), Code(1364));
    }
    for package in Package::ALL {
        assert_eq!(Package::named(package.name()), Ok(package));
    }
}

#[test]
fn a_package_is_excluded_in_the_copy_only() {
    let first = identity(Some("anna"), None, Some("x"));
    let second = first.excluding(Package::Ntlm).excluding(Package::Ntlm).excluding(Package::Kerberos);
    assert!(first.packages().allows(Package::Ntlm));
    assert!(!second.packages().allows(Package::Ntlm) && second.packages().allows(Package::Negotiate));
    assert_eq!(second.packages().to_string(), "!NTLM,!Kerberos");
    assert!(first.compare(&second).same_identity);
}

#[test]
fn a_list_of_packages_is_read_as_sspi_writes_it() {
    use Package::{Basic, Digest, Kerberos, Negotiate, Ntlm};
    let read = [
        ("", "", &Package::ALL[..]),
        (" , ", "", &Package::ALL),
        ("!ntlm", "!NTLM", &[Negotiate, Kerberos, Digest, Basic]),
        ("kerberos, NTLM,kerberos", "Kerberos,NTLM", &[Kerberos, Ntlm]),
        ("kerberos,ntlm,!ntlm", "Kerberos,NTLM,!NTLM", &[Kerberos]),
        ("pku2u,kerberos,!schannel", "Kerberos", &[Kerberos]),
        ("!pku2u", "", &Package::ALL),
    ];
    for (text, displayed, allowed) in read {
        let list = PackageList::parse(text).unwrap();
        assert_eq!(list.to_string(), displayed, "{text}");
        for package in Package::ALL {
            assert_eq!(list.allows(package), allowed.contains(&package), "{package:?} of {text}");
        }
    }
    assert_eq!(PackageList::parse("pku2u,schannel").unwrap_err().code(), Code(0x8009_0305));
    assert_eq!(PackageList::parse(&",".repeat(513)).unwrap_err().code(), Code(122));
}

#[test]
fn identities_compare_by_name_without_case_and_by_secret_with_it() {
    let anna = || identity(Some("anna"), Some("corp"), Some("x"));
    let scenarios = [
        (identity(Some("ANNA"), Some("Corp"), Some("x")), true, true),
        (identity(Some("anna"), Some("corp"), Some("X")), true, false),
        (identity(Some("anna"), Some("corp"), None), true, false),
        (identity(Some("anna"), Some("corp"), Some("")), true, false),
        (identity(Some("anna"), Some("other"), Some("x")), false, false),
        (identity(Some("anna"), None, Some("x")), false, false),
        (identity(Some("anna@corp"), None, Some("x")), false, false),
    ];
    for (other, same_user, same_identity) in scenarios {
        assert_eq!(anna().compare(&other), Comparison { same_user, same_identity }, "{other:?}");
    }
    let none = identity(Some("anna"), None, None);
    assert!(none.compare(&identity(Some("anna"), Some(""), None)).same_identity);
    assert!(!none.compare(&identity(Some("anna"), None, Some(""))).same_identity);
    let umlaut = |user| identity(Some(user), None, None);
    assert!(umlaut("JÜRGEN").compare(&umlaut("jürgen")).same_user);
    assert!(!umlaut("gross").compare(&umlaut("groß")).same_user);
}
