//! What is typed, and what it asks for.

use bits_client::Scheme;
use bits_client::api::http_options::Proxy;
use bits_client::api::job::{ChangeJob, NotifyCommand};
use bits_core::credentials::{AuthScheme, AuthTarget};
use bits_core::error::Code;
use bits_core::job::Priority;
use bits_core::ranges::ByteRange;
use bits_core::secret::Secret;
use std::ffi::OsString;

use super::super::absent;
use super::super::asked::{Asked, Command, FileProperty, Given, Manner, Property, Transfer};
use super::super::words::Fault;
use super::{Typed, read, row_of, rows};

fn typed(words: &str) -> Typed {
    let words: Vec<OsString> = words.split_whitespace().map(OsString::from).collect();
    read(&words)
}

fn asked(words: &str) -> Asked {
    typed(words).asked.unwrap_or_else(|trouble| panic!("{words}: {trouble:?}"))
}

fn fault(words: &str) -> Fault {
    let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    let (row, taken) = row_of(&words).expect("a switch");
    let mut left = super::Words::new(&words[taken..]);
    (row.read)(&mut left).expect_err("a fault")
}

fn job() -> String {
    "j".to_owned()
}

#[test]
fn switches_are_found_in_any_letter_case_with_a_slash_or_a_dash() {
    for words in ["/getstate j", "/GetState j", "-GETSTATE j", "--getstate j"] {
        assert_eq!(asked(words), Asked::Get { property: Property::State, job: job() }, "{words}");
    }
    assert_eq!(asked("/UTIL /Version -verbose"), Asked::Version { is_verbose: true });
    assert_eq!(asked("/?"), Asked::Help);
}

#[test]
fn how_it_is_said_is_told_before_the_switch_in_any_order() {
    for (words, is_raw, wraps) in [
        ("/rawreturn /nowrap /gettype j", true, Some(false)),
        ("/WRAP -RawReturn /gettype j", true, Some(true)),
        ("/gettype j", false, None),
    ] {
        let typed = typed(words);
        assert_eq!(typed.manner, Manner { is_raw, wraps }, "{words}");
        assert!(typed.asked.is_ok(), "{words}");
    }
}

#[test]
fn the_life_of_a_job_is_asked_for() {
    let (url, path) = ("http://h/f".to_owned(), "/d/f".to_owned());
    for (words, expected) in [
        ("/create n", Asked::Create { name: "n".to_owned() }),
        ("/create /download n", Asked::Create { name: "n".to_owned() }),
        ("/create /upload n", Asked::Absent(&absent::UPLOAD)),
        ("/create /upload-reply n", Asked::Absent(&absent::UPLOAD)),
        (
            "/addfile j http://h/f /d/f",
            Asked::AddFile { job: job(), url: url.clone(), path: path.clone(), ranges: Vec::new() },
        ),
        (
            "/addfilewithranges j http://h/f /d/f 0:10,20:eof",
            Asked::AddFile {
                job: job(),
                url: url.clone(),
                path: path.clone(),
                ranges: ["0:10", "20:eof"].map(|text| ByteRange::parse(text).expect("a range")).into(),
            },
        ),
        ("/addfileset j l", Asked::AddFileSet { job: job(), list: "l".to_owned() }),
        ("/list /verbose /allusers", Asked::List { all_users: true, is_verbose: true }),
        ("/monitor", Asked::Monitor { all_users: false, refresh_seconds: 5 }),
        ("/monitor /refresh 9 /allusers", Asked::Monitor { all_users: true, refresh_seconds: 9 }),
        ("/info j /VERBOSE", Asked::Info { job: job(), is_verbose: true }),
        ("/takeownership j", Asked::Command { command: Command::TakeOwnership, job: job() }),
        ("/complete j", Asked::Command { command: Command::Complete, job: job() }),
        ("/reset", Asked::Reset { all_users: false }),
        (
            "/gettemporaryname j 2",
            Asked::GetOfFile { property: FileProperty::TemporaryName, job: job(), index: 2 },
        ),
        ("/setvalidationstate j 0 false", Asked::SetValidation { job: job(), index: 0, is_valid: false }),
        ("/getreplydata j", Asked::OfReplies { what: "get reply data", job: job() }),
        ("/cache /list", Asked::Absent(&absent::PEER_CACHE)),
    ] {
        assert_eq!(asked(words), expected, "{words}");
    }
    let transfer = Transfer {
        name: "n".to_owned(),
        priority: Priority::High,
        is_dynamic: true,
        acl_flags: Some(3),
        files: vec![(url, path), ("/srv/g".to_owned(), "g".to_owned())],
    };
    let words = "/transfer n /download /PRIORITY high /aclflags og /dynamic http://h/f /d/f /srv/g g";
    assert_eq!(asked(words), Asked::Transfer(transfer));
}

#[test]
fn what_is_set_is_a_change_of_the_service() {
    let set = |what, value: &str, change| Asked::Set {
        job: job(),
        change: Box::new(change),
        what,
        value: value.to_owned(),
    };
    let proxy = |usage: &str, list: Option<&str>, bypass: Option<&str>| ChangeJob {
        proxy: Some(Proxy {
            usage: usage.to_owned(),
            list: list.map(str::to_owned),
            bypass: bypass.map(str::to_owned),
        }),
        ..ChangeJob::default()
    };
    let run = |program: &str| ChangeJob {
        notify_command: Some(NotifyCommand { program: program.to_owned(), arguments: Vec::new() }),
        ..ChangeJob::default()
    };
    let delay = |seconds| ChangeJob { minimum_retry_delay: Some(seconds), ..ChangeJob::default() };
    for (words, expected) in [
        (
            "/setpriority j low",
            set("priority", "LOW", ChangeJob { priority: Some("low".to_owned()), ..ChangeJob::default() }),
        ),
        (
            "/setnotifyflags j 3",
            set("notification flags", "3", ChangeJob { notify_flags: Some(3), ..ChangeJob::default() }),
        ),
        (
            "/setnotifycmdline j /bin/true NULL",
            set("notification command line", "/bin/true", run("/bin/true")),
        ),
        ("/setnotifycmdline j null NULL", set("notification command line", "none", run(""))),
        ("/setminretrydelay j 60", set("minimum retry delay", "60", delay(60))),
        // Less than the least is raised, and never means something else.
        ("/setminretrydelay j 0", set("minimum retry delay", "5", delay(5))),
        (
            "/setproxysettings j OVERRIDE p1:80,p2:80 a,b",
            set("proxy usage", "OVERRIDE", proxy("override", Some("p1:80 p2:80"), Some("a b"))),
        ),
        ("/setproxysettings j no_proxy", set("proxy usage", "NO_PROXY", proxy("no_proxy", None, None))),
        (
            "/setproxysettings j PRECONFIG NULL NULL",
            set("proxy usage", "PRECONFIG", proxy("preconfig", None, None)),
        ),
        (
            "/setmaxdownloadtime j 60",
            set(
                "maximum download time",
                "60",
                ChangeJob { maximum_download_time: Some(60), ..ChangeJob::default() },
            ),
        ),
        (
            "/setaclflags j sgo",
            set("ACL flags", "OGS", ChangeJob { file_acl_flags: Some(11), ..ChangeJob::default() }),
        ),
        (
            "/setpeercachingflags j 5",
            set("peer caching flags", "5", ChangeJob { peer_caching_flags: Some(5), ..ChangeJob::default() }),
        ),
        (
            "/sethelpertokenflags j 3",
            set("helper token flags", "3", ChangeJob { helper_token_flags: Some(3), ..ChangeJob::default() }),
        ),
        (
            "/setsecurityflags j 30",
            set("security flags", "0x1e", ChangeJob { security_flags: Some(30), ..ChangeJob::default() }),
        ),
    ] {
        assert_eq!(asked(words), expected, "{words}");
    }
}

#[test]
fn credentials_are_literal_asked_for_or_nobodys() {
    let given = |words: &str| match asked(&format!("/setcredentials j SERVER BASIC {words}")) {
        Asked::SetCredentials { target: AuthTarget::Server, scheme: AuthScheme::Basic, secret, .. } => secret,
        other => panic!("{other:?}"),
    };
    let user = || "u".to_owned();
    assert_eq!(given("u p"), Given::Literal { user: user(), password: Secret::new("p".to_owned()) });
    assert_eq!(given("u *"), Given::ToAsk { user: Some(user()) });
    assert_eq!(given("* *"), Given::ToAsk { user: None });
    assert_eq!(given("NULL null"), Given::Implicit);
    let removed = asked("/removecredentials j proxy ntlm");
    let scheme = Scheme::One(AuthScheme::Ntlm);
    assert_eq!(removed, Asked::RemoveCredentials { job: job(), target: AuthTarget::Proxy, scheme });
}

#[test]
fn each_fault_names_the_word_and_has_its_code() {
    for (words, code, says) in [
        ("/create", Code::INVALID_ARGUMENT, "the name is missing"),
        ("/addfile j http://h/f", Code::INVALID_ARGUMENT, "the local file is missing"),
        ("/transfer n", Code::INVALID_ARGUMENT, "the URL is missing"),
        ("/transfer n http://h/f", Code::INVALID_ARGUMENT, "the local file for http://h/f is missing"),
        ("/transfer n /priority soon", Code::INVALID_ARGUMENT, "`soon` is none of FOREGROUND, HIGH"),
        ("/setaclflags j ox", Code::INVALID_ARGUMENT, "`ox`: ACL flags"),
        ("/setpeercachingflags j 4294967296", Code::INVALID_ARGUMENT, "4294967296 is too much"),
        ("/transfer n /aclflags x u p", Code::INVALID_ARGUMENT, "`x`: ACL flags"),
        ("/addfilewithranges j u p 1-2", Code::INVALID_ARGUMENT, "1-2"),
        ("/setnotifycmdline j NULL say", Code::INVALID_ARGUMENT, "parameters belong to a program"),
        ("/monitor /refresh 0", Code::INVALID_ARGUMENT, "1 is the least"),
        ("/setminretrydelay j soon", Code::INVALID_ARGUMENT, "`soon` is no whole number"),
        ("/setproxysettings j OVERRIDE NULL", Code::INVALID_ARGUMENT, "needs a list"),
        ("/setproxysettings j PRECONFIG p", Code::INVALID_ARGUMENT, "OVERRIDE alone"),
        ("/setcredentials j MOON BASIC u p", Code::INVALID_AUTH_TARGET, "`MOON` is none of SERVER, PROXY"),
        ("/setcredentials j SERVER KERBEROS u p", Code::INVALID_AUTH_SCHEME, "`KERBEROS` is none of BASIC"),
        ("/setcredentials j SERVER PASSPORT u p", Code::SECPKG_NOT_FOUND, "Passport"),
        ("/setcredentials j SERVER NTLM NULL p", Code::INVALID_ARGUMENT, "NULL as the user"),
        ("/setcredentials j SERVER NTLM u NULL", Code::INVALID_ARGUMENT, "NULL as the password"),
        ("/setclientcertificatebyid j 9 ./c 00", Code::NOT_IMPLEMENTED, "9 is none of 1 to 8"),
        ("/setclientcertificatebyid j 1 MY 00", Code::FILE_NOT_FOUND, "no certificate store `MY`"),
        ("/setvalidationstate j 0 maybe", Code::INVALID_ARGUMENT, "`maybe` is none of TRUE, FALSE"),
        ("/gettemporaryname j first", Code::INVALID_ARGUMENT, "`first` is no whole number"),
    ] {
        let fault = fault(words);
        assert_eq!(fault.code, code, "{words}");
        assert!(fault.sentence.contains(says), "{words}: {}", fault.sentence);
    }
    for (words, says) in [
        ("", "USAGE: bitsadmin [/rawreturn]"),
        ("frobnicate", "`frobnicate` is no switch of this tool"),
        ("/ressume j", "Did you mean /resume?"),
        ("/util", "`/util` is no switch"),
        (
            "/cache /lisst",
            "`/cache /lisst` is no switch of this tool; /help lists them\", \"Did you mean /cache /list?",
        ),
        ("/getstate j k", "/getstate: `k` is too much"),
        ("/getstate", "USAGE: bitsadmin /getstate <job>"),
    ] {
        let trouble = format!("{:?}", typed(words).asked.expect_err("a fault"));
        assert!(trouble.contains(says), "{words}: {trouble}");
    }
}

#[test]
fn every_switch_of_the_reference_is_in_the_table_once() {
    let names: Vec<&str> = rows().map(|row| row.name).collect();
    for name in &names {
        assert_eq!(names.iter().filter(|other| *other == name).count(), 1, "{name}");
        assert_eq!(*name, name.to_ascii_lowercase(), "names are written in small letters");
    }
    let reference = "help ? create transfer addfile addfileset addfilewithranges replaceremoteprefix list \
        listfiles monitor info suspend resume cancel complete reset takeownership gettype getstate getowner \
        getbytestotal getbytestransferred getfilestotal getfilestransferred getcreationtime \
        getmodificationtime getcompletiontime geterror geterrorcount getdisplayname setdisplayname \
        getdescription setdescription getpriority setpriority getnotifyflags setnotifyflags \
        getnotifyinterface getnotifycmdline setnotifycmdline getminretrydelay setminretrydelay \
        getnoprogresstimeout setnoprogresstimeout getmaxdownloadtime setmaxdownloadtime getproxyusage \
        getproxylist getproxybypasslist setproxysettings getaclflags setaclflags setcredentials \
        removecredentials getcustomheaders setcustomheaders makecustomheaderswriteonly gethttpmethod \
        sethttpmethod getsecurityflags setsecurityflags getclientcertificate setclientcertificatebyid \
        setclientcertificatebyname removeclientcertificate getvalidationstate setvalidationstate \
        gettemporaryname getpeerstats getpeercachingflags setpeercachingflags getreplyfilename \
        setreplyfilename getreplyprogress getreplydata gethelpertokenflags sethelpertokenflags \
        gethelpertokensid sethelpertoken";
    for name in reference.split_whitespace() {
        assert!(names.contains(&&*format!("/{name}")), "{name}");
    }
    let families = "util:version util:repairservice util:getieproxy util:setieproxy \
        util:enableanalyticchannel peercaching:getconfigurationflags peercaching:setconfigurationflags \
        peercaching:help cache:list cache:info cache:delete cache:deleteurl cache:clear cache:setlimit \
        cache:getlimit cache:setexpirationtime cache:getexpirationtime cache:help peers:list peers:clear \
        peers:discover peers:help";
    for name in families.split_whitespace() {
        assert!(names.contains(&&*format!("/{}", name.replace(':', " /"))), "{name}");
    }
}
