//! The switches that read something of a job (`bits.md` §11.3).

use super::super::absent::{self, Absent};
use super::super::asked::{Asked, FileProperty, Property};
use super::super::words::{Fault, Words};
use super::Row;

const JOB: &str = "<job>";
const FILE: &str = "<job> <index>";
const NOT_HERE: &str = "Not available in this version";

/// A row that reads `property`.
macro_rules! get {
    ($name:literal, $about:literal, $property:ident) => {
        Row { name: $name, takes: JOB, about: $about, read: |words| get(words, Property::$property) }
    };
}

pub(super) const ROWS: &[Row] = &[
    get!("/gettype", "The type of a job", Type),
    get!("/getstate", "The state of a job", State),
    get!("/getowner", "Whose job it is", Owner),
    get!("/getbytestotal", "The bytes of all files of a job", BytesTotal),
    get!("/getbytestransferred", "How many of them have come", BytesTransferred),
    get!("/getfilestotal", "How many files a job has", FilesTotal),
    get!("/getfilestransferred", "How many of them have come", FilesTransferred),
    get!("/getcreationtime", "When a job was created", CreationTime),
    get!("/getmodificationtime", "When a job was changed last", ModificationTime),
    get!("/getcompletiontime", "When all of its files had come", CompletionTime),
    Row {
        name: "/geterror",
        takes: JOB,
        about: "The last error of a job",
        read: |words| Ok(Asked::GetError { job: words.job()? }),
    },
    get!("/geterrorcount", "How many errors a job has met", ErrorCount),
    get!("/getdisplayname", "The name of a job", DisplayName),
    get!("/getdescription", "The description of a job", Description),
    get!("/getpriority", "The priority of a job", Priority),
    get!("/getnotifyflags", "Of what its owner is notified: the sum of 1, 2 and 4", NotifyFlags),
    get!("/getnotifyinterface", "Whether a program is registered for the events of a job", NotifyInterface),
    get!("/getnotifycmdline", "What is run when a job is done or in error", NotifyCommandLine),
    get!("/getminretrydelay", "Seconds before each retry; 0: after 1, 2, 4 ... 60", MinRetryDelay),
    get!("/getnoprogresstimeout", "Seconds of errors without progress before a job fails", NoProgressTimeout),
    get!("/getmaxdownloadtime", "Seconds that a job may transfer since it was resumed", MaxDownloadTime),
    get!("/getproxyusage", "Which proxies a job uses", ProxyUsage),
    get!("/getproxylist", "The proxies of a job's own", ProxyList),
    get!("/getproxybypasslist", "The hosts that need none of them", ProxyBypassList),
    get!("/getaclflags", "The ACL flags of a job, which do nothing over http", AclFlags),
    get!("/getcustomheaders", "The headers of a job's own", CustomHeaders),
    get!("/gethttpmethod", "The method of its requests", HttpMethod),
    get!("/getsecurityflags", "The security flags of a job", SecurityFlags),
    get!("/getclientcertificate", "The client certificate of a job", ClientCertificate),
    Row {
        name: "/getvalidationstate",
        takes: FILE,
        about: "Whether a file has been called right",
        read: |words| get_of_file(words, FileProperty::ValidationState),
    },
    Row {
        name: "/gettemporaryname",
        takes: FILE,
        about: "Where a file is until the job is completed",
        read: |words| get_of_file(words, FileProperty::TemporaryName),
    },
    Row {
        name: "/getpeerstats",
        takes: FILE,
        about: "From where the bytes of a file came",
        read: |words| get_of_file(words, FileProperty::PeerStats),
    },
    get!("/getpeercachingflags", "The flags of a peer cache, which do nothing here", PeerCachingFlags),
    absent("/getreplyfilename", |words| of_replies(words, "get reply file name")),
    absent("/getreplyprogress", |words| of_replies(words, "get reply progress")),
    absent("/getreplydata", |words| of_replies(words, "get reply data")),
    get!("/gethelpertokenflags", "The flags of a helper token, which do nothing here", HelperTokenFlags),
    absent("/gethelpertokensid", |words| of_job(words, &absent::HELPER_TOKEN)),
];

const fn absent(name: &'static str, read: fn(&mut Words<'_>) -> Result<Asked, Fault>) -> Row {
    Row { name, takes: JOB, about: NOT_HERE, read }
}

fn get(words: &mut Words<'_>, property: Property) -> Result<Asked, Fault> {
    Ok(Asked::Get { property, job: words.job()? })
}

fn get_of_file(words: &mut Words<'_>, property: FileProperty) -> Result<Asked, Fault> {
    Ok(Asked::GetOfFile { property, job: words.job()?, index: words.index()? })
}

fn of_job(words: &mut Words<'_>, absent: &'static Absent) -> Result<Asked, Fault> {
    words.job().map(|_| Asked::Absent(absent))
}

fn of_replies(words: &mut Words<'_>, what: &'static str) -> Result<Asked, Fault> {
    Ok(Asked::OfReplies { what, job: words.job()? })
}
