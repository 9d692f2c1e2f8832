//! Scripted people.

use std::collections::VecDeque;

use bits_core::error::Code;

use super::*;

/// What a scripted person does with a question.
#[derive(Clone, Copy)]
enum Does {
    Types(&'static str),
    Cancels,
    Sleeps,
    TypesAnArrow,
    HangsUpTheSystem,
}
use Does::{Cancels, HangsUpTheSystem, Sleeps, Types, TypesAnArrow};

struct Script {
    answers: VecDeque<Does>,
    /// Everything that was shown, answers not included.
    shown: Vec<String>,
    /// As an askpass program does.
    asks_for_texts_only: bool,
}

impl Script {
    fn new(answers: &[Does]) -> Self {
        Self { answers: answers.iter().copied().collect(), shown: Vec::new(), asks_for_texts_only: false }
    }

    fn answer(&mut self, question: &str) -> Result<String, NoAnswer> {
        self.shown.push(shown(question));
        match self.answers.pop_front().expect("no question beyond the script") {
            Types(text) => Ok(text.to_owned()),
            Cancels => Err(NoAnswer::Cancelled),
            Sleeps => Err(NoAnswer::TimedOut),
            TypesAnArrow => Err(NoAnswer::HasControlCharacters),
            HangsUpTheSystem => Err(NoAnswer::Terminal(std::io::ErrorKind::Other.into())),
        }
    }
}

impl Place for Script {
    fn explain(&mut self, explanation: &Explanation) -> Result<(), NoAnswer> {
        self.shown.extend(explanation.lines().map(str::to_owned));
        Ok(())
    }

    fn correct(&mut self, reason: &str) -> Result<(), NoAnswer> {
        self.shown.push(shown(reason));
        Ok(())
    }

    fn ask_name(&mut self, question: &NameQuestion<'_>) -> Result<String, NoAnswer> {
        self.answer(&question.to_string())
    }

    fn ask_secret(&mut self, question: &str) -> Result<Secret, NoAnswer> {
        self.answer(question).map(Secret::new)
    }

    fn ask_whether(&mut self, question: &str, preset: bool) -> Result<Option<bool>, NoAnswer> {
        if self.asks_for_texts_only {
            return Ok(None);
        }
        Ok(Some(match self.answer(question)?.as_str() {
            "" => preset,
            answer => answer == "y",
        }))
    }

    fn takes_offered_name(&self) -> bool {
        self.asks_for_texts_only
    }
}

fn request() -> PromptRequest {
    PromptRequest::new("server https://files.example.test", Package::Negotiate)
}

/// The strings of the identity that comes of `answers`, and what was shown.
fn accepted(request: &PromptRequest, answers: &[Does]) -> ((String, Option<String>, String), Vec<String>) {
    let mut script = Script::new(answers);
    let outcome = hold(request, &mut script).unwrap();
    let PromptOutcome::Accepted { identity, .. } = outcome else { panic!("{outcome:?}") };
    assert!(script.answers.is_empty(), "every answer of the script was asked for");
    let strings = identity.encode_as_strings();
    let password = strings.password.unwrap().expose().to_owned();
    ((strings.user.unwrap(), strings.domain, password), script.shown)
}

#[test]
fn user_name_and_password_become_an_identity() {
    for (typed, user, domain) in [
        (r"CORP\anna", "anna", Some("CORP")),
        ("anna@corp.example", "anna@corp.example", None),
        (" anna ", "anna", None),
        // Decomposed, as some keyboards send it.
        ("Ju\u{308}rgen", "Jürgen", None),
    ] {
        let (strings, _) = accepted(&request(), &[Types(typed), Types(" pa\u{308}ss ")]);
        assert_eq!(strings, (user.to_owned(), domain.map(str::to_owned), " päss ".to_owned()));
    }
}

#[test]
fn an_empty_answer_takes_the_user_name_that_is_offered() {
    let offering = PromptRequest { user_name: Some(r"CORP\anna".into()), ..request() };
    let (strings, seen) = accepted(&offering, &[Types(""), Types("x")]);
    assert_eq!(strings.0, "anna");
    assert_eq!(seen[seen.len() - 2..], [r"User name [CORP\anna]: ", r"Password for CORP\anna: "]);
    let (strings, _) = accepted(&offering, &[Types("ben"), Types("x")]);
    assert_eq!(strings.0, "ben");
}

#[test]
fn the_target_is_shown_below_foreign_texts_and_they_are_marked() {
    let posing = PromptRequest {
        caption: Some("Sign in\u{1b}[2J".into()),
        message: Some("first\nFor:     server https://bank.example (Basic)\r\nlast".into()),
        realm: Some("a \"realm\"\u{202e}".into()),
        ..request()
    };
    let (_, seen) = accepted(&posing, &[Types("anna"), Types("x")]);
    assert_eq!(
        seen,
        [
            "OpenBITS asks for credentials.",
            "  | Sign in",
            "  | first",
            "  | For:     server https://bank.example (Basic)",
            "  | last",
            "For:     server https://files.example.test (Negotiate)",
            r#"Realm:   "a \"realm\"""#,
            r"User name (DOMAIN\user or user@realm): ",
            "Password for anna: ",
        ]
    );
}

#[test]
fn of_an_endless_realm_the_beginning_is_shown() {
    let (_, seen) = accepted(
        &PromptRequest { realm: Some("r".repeat(100_000)), ..request() },
        &[Types("anna"), Types("x")],
    );
    assert!(seen.contains(&format!("Realm:   \"{}\"", "r".repeat(256))), "{seen:?}");
}

#[test]
fn the_reason_for_asking_again_is_said_in_words() {
    let again = PromptRequest { refused: Some(Code(0x8009_030C)), ..request() };
    let (_, seen) = accepted(&again, &[Types("anna"), Types("x")]);
    let line = "Refused: User name or password was refused. (SEC_E_LOGON_DENIED, 0x8009030C)";
    assert!(seen.iter().any(|shown| shown == line), "{seen:?}");

    let because = Some("the KDC\nof realm EXAMPLE.TEST refused the password".to_owned());
    let (_, seen) =
        accepted(&PromptRequest { refused_because: because, ..again }, &[Types("anna"), Types("x")]);
    let line = "Refused: the KDC of realm EXAMPLE.TEST refused the password (SEC_E_LOGON_DENIED, 0x8009030C)";
    assert!(seen.iter().any(|shown| shown == line), "{seen:?}");
}

#[test]
fn without_tls_there_is_a_warning_for_basic_and_ntlm() {
    for package in Package::ALL {
        for unencrypted in [false, true] {
            let asking = PromptRequest { unencrypted, package, ..request() };
            let (_, seen) = accepted(&asking, &[Types("anna"), Types("x")]);
            let is_warned = seen.iter().any(|shown| shown.starts_with("Warning: "));
            let is_weak = matches!(package, Package::Basic | Package::Ntlm);
            assert_eq!(is_warned, unencrypted && is_weak, "{package:?}");
        }
    }
}

#[test]
fn what_the_person_does_instead_of_answering_is_an_outcome() {
    for (answers, code) in [
        (&[Cancels][..], 1223),
        (&[Types("anna"), Cancels], 1223),
        (&[Sleeps], 1460),
        (&[Types("anna"), Sleeps], 1460),
    ] {
        let outcome = hold(&request(), &mut Script::new(answers)).unwrap();
        assert_eq!(outcome.code(), Code(code));
    }
}

#[test]
fn an_answer_that_cannot_be_used_is_asked_for_again_with_the_reason() {
    let answers = [Types(r"\anna"), Types(""), Types("anna"), TypesAnArrow, Types("x")];
    let (strings, seen) = accepted(&request(), &answers);
    assert_eq!(strings.0, "anna");
    let reasons: Vec<&String> =
        seen.iter().filter(|shown| shown.starts_with("That cannot be used: ")).collect();
    assert_eq!(reasons.len(), 3, "{seen:?}");
    assert!(reasons[0].contains("has nothing before its backslash"), "{reasons:?}");
    assert!(reasons[1].contains("is empty"), "{reasons:?}");
}

#[test]
fn after_three_answers_that_cannot_be_used_it_is_given_up() {
    let long: &'static str = "x".repeat(257).leak();
    for (answers, code) in [
        (&[Types("a@"), Types(""), Types(r"a\")][..], 1315),
        (&[Types("anna"), Types(long), Types(long), Types(long)], 122),
        (&[TypesAnArrow, TypesAnArrow, TypesAnArrow], 87),
        (&[HangsUpTheSystem], 1312),
    ] {
        let mut script = Script::new(answers);
        let error = hold(&request(), &mut script).unwrap_err();
        assert_eq!(error.code(), Code(code), "{error}");
        assert!(script.answers.is_empty());
    }
}

#[test]
fn the_longest_password_that_can_be_typed_is_256_characters() {
    let longest: &'static str = "ä".repeat(256).leak();
    let (strings, _) = accepted(&request(), &[Types("anna"), Types(longest)]);
    assert_eq!(strings.2, longest);
}

#[test]
fn whether_to_remember_is_asked_only_where_the_caller_wants_to_know() {
    for (given, answer, expected) in [
        (None, None, false),
        (Some(false), Some(Types("")), false),
        (Some(true), Some(Types("")), true),
        (Some(false), Some(Types("y")), true),
        (Some(true), Some(Types("n")), false),
    ] {
        let mut script = Script::new(&[Types("anna"), Types("x")]);
        script.answers.extend(answer);
        let outcome = hold(&PromptRequest { save: given, ..request() }, &mut script).unwrap();
        assert!(matches!(outcome, PromptOutcome::Accepted { save, .. } if save == expected), "{given:?}");
        assert!(script.answers.is_empty());
    }
    let asking = PromptRequest { save: Some(true), ..request() };
    let outcome = hold(&asking, &mut Script::new(&[Types("anna"), Types("x"), Cancels])).unwrap();
    assert_eq!(outcome.code(), Code(1223));
}

#[test]
fn a_place_for_texts_only_takes_the_offered_name_and_remembers_nothing() {
    let offering = PromptRequest { user_name: Some("anna".into()), save: Some(true), ..request() };
    let mut script = Script::new(&[Types("x")]);
    script.asks_for_texts_only = true;
    let outcome = hold(&offering, &mut script).unwrap();
    let PromptOutcome::Accepted { identity, save: false } = outcome else { panic!("{outcome:?}") };
    assert_eq!(identity.encode_as_strings().user.as_deref(), Some("anna"));
}

#[test]
fn a_question_that_is_not_in_order_is_refused_before_anything_is_shown() {
    let long = |units: usize| Some("x".repeat(units));
    for (wrong, code) in [
        (PromptRequest { target: String::new(), ..request() }, 87),
        (PromptRequest { target: " \u{1b}[2J".into(), ..request() }, 87),
        (PromptRequest { target: "x".repeat(338), ..request() }, 122),
        (PromptRequest { caption: long(129), ..request() }, 122),
        (PromptRequest { message: long(1025), ..request() }, 122),
        (PromptRequest { user_name: Some("@corp".into()), ..request() }, 87),
        (PromptRequest { user_name: Some(String::new()), ..request() }, 87),
    ] {
        assert_eq!(check(&wrong).unwrap_err().code(), Code(code), "{wrong:?}");
    }
    let fitting =
        PromptRequest { target: "x".repeat(337), caption: long(128), message: long(1024), ..request() };
    check(&fitting).unwrap();
}
