//! The parts of the service, put together for one user: one process, one worker in it, joined by
//! channels.

use std::ffi::OsString;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bits_api::convert::rfc3339;
use bits_api::settings::{Reloaded, SettingList};
use bits_broker::effects::{Effects, EngineHandle};
use bits_broker::engine::{self, Bounds, Clock, Query, Response};
use bits_broker::http::{self, Api, Connections, Desk, Identity, Peer, SettingsDesk, Socket};
use bits_broker::names::Names;
use bits_broker::stop::Stop;
use bits_broker::vault::Vault;
use bits_broker::workers::Workers;
use bits_core::access::{Audience, Caller};
use bits_core::job::Owner;
use bits_core::ports::{RekeyError, StoreError};
use bits_core::refusal::Refusal;
use bits_core::time::Timestamp;
use bits_platform::boot;
use bits_platform::caller::{caller_of, own_uid, user_name};
use bits_platform::clock::ClockWatch;
use bits_platform::endpoint::{self, BindError, LockError, ServiceLock, SocketFile};
use bits_platform::paths::{Paths, PathsError, PrivateFolderError, ensure_private_folder};
use bits_platform::seal::{KeyError, KeyPlaces};
use bits_store::sqlite::{Check, Looked, OpenError, SqliteStore};
use bits_worker::{CommandSettings, link};
use tokio::net::UnixListener;
use tokio::runtime::{Handle, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::{interval, timeout};

use crate::conditions::{Regard, Watching};
use crate::engine_thread::EngineThread;
use crate::log::{self, LogError};
use crate::sealing;
use crate::settings::{LIVE, Layers, Settings, SettingsError};

/// Connections at a time; each is a program of the owner's. Half of the files a process may have.
const CONNECTIONS_MAX: usize = 512;
/// Connections of one process.
const CONNECTIONS_OF_ONE_MAX: usize = 256;
/// How long busy connections may take to end when the service stops.
const PATIENCE_WITH_CONNECTIONS: Duration = Duration::from_secs(5);
/// How long the start waits for the name of the owner; answers do without.
const PATIENCE_WITH_NAMES: Duration = Duration::from_secs(1);
/// How long after its start the service begins to go through its queue: the first jobs run by then.
const CHECK_AFTER: Duration = Duration::from_secs(5);
/// How often to look whether the sockets are still there and somebody still needs the service.
const HOUSEKEEPING_INTERVAL: Duration = Duration::from_secs(10);

/// Why the service did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Paths(#[from] PathsError),
    #[error(transparent)]
    Folder(#[from] PrivateFolderError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Rekey(#[from] RekeyError),
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error(transparent)]
    Worker(#[from] bits_worker::run::SetupError),
    #[error("the engine has ended; that is a mistake of ours, and the log may say more")]
    Engine,
    #[error("{doing} failed: {source}")]
    System { doing: &'static str, source: io::Error },
}

/// A service that is ready to run.
pub(crate) struct Service {
    runtime: Runtime,
    api: Arc<Api>,
    doors: Vec<Door>,
    engine: EngineThread,
    /// Whether the check of the queue has found it damaged.
    damaged: Arc<AtomicBool>,
    idle_exit: Option<Duration>,
    owner: Owner,
    lock: ServiceLock,
}

/// A socket one can come in by.
struct Door {
    listener: UnixListener,
    file: SocketFile,
}

/// The system's clock.
#[derive(Debug, Clone, Copy)]
struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn running(&self) -> Option<Duration> {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Duration::try_from(time).ok()
    }

    fn local_offset(&self, at: Timestamp) -> i32 {
        bits_platform::clock::local_offset(at)
    }
}

impl Service {
    /// Takes the state folder, opens what is in it, and stands ready at the sockets.
    pub(crate) fn start(
        environment: crate::Environment<'_>,
        command_line: &[String],
        in_terminal: bool,
    ) -> Result<Self, StartError> {
        let paths = Paths::of_user(environment)?;
        let settings = Settings::load(&paths, environment, command_line)?;
        ensure_private_folder(&paths.state_folder)?;
        let lock = ServiceLock::take(&paths.state_folder)?;
        let journal = environment("JOURNAL_STREAM");
        let (level, form) = (settings.log_level(), settings.log_format());
        log::begin(&paths.log_file(), level, form, journal.as_deref(), in_terminal)?;
        let mut notices = Vec::new();
        let (mut store, check) = open_store(&paths, &mut notices)?;
        let places = KeyPlaces {
            key_file: paths.key_file(),
            credentials_folder: environment("CREDENTIALS_DIRECTORY")
                .map(PathBuf::from)
                .filter(|folder| folder.is_absolute()),
        };
        let vault = Vault::new(sealing::open(&mut store, &places, &mut notices)?);

        let system = |doing| move |source| StartError::System { doing, source };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(system("starting the runtime"))?;
        let entered = runtime.enter();
        let owner = Owner(own_uid());
        let (inputs, mut received) = mpsc::unbounded_channel();
        let (broker_end, worker_end) = link::local();
        let worker =
            bits_worker::run::Worker::new(worker_settings(&settings, command_environment(environment)))?;
        let (pacing, nearby) = (worker.pacing(), worker.nearby());
        runtime.spawn(worker.run(worker_end));
        let handle = EngineHandle::new(inputs.clone());
        // Before the engine's first turn, so that nothing runs that may not.
        handle.set_bounds(bounds(&settings));
        watch_clock(&handle);
        let workers = Workers::new(broker_end, inputs).with_nearby(nearby);
        workers.metrics().watch_pacing(pacing);
        workers.metrics().watch_store(paths.database_files());
        let (regard, regarded) = watch::channel(settings.regard());
        let watching = runtime.block_on(Watching::begin(
            &bus_address(environment),
            owner,
            &settings.rules(),
            regarded,
            &mut notices,
        ));
        for notice in &notices {
            tracing::warn!("{notice}");
        }
        // Before anything else, so that no job begins that is to wait.
        handle.conditions_are(watching.conditions());
        runtime.spawn(watching.run(handle.clone()));
        let mut effects = Effects::new(&handle, workers.clone(), vault.clone());
        let limits = settings.limits();
        let stop = Arc::new(Stop::default());
        let engine = EngineThread::start(Arc::clone(&stop), move || async move {
            let ended = engine::run(&mut received, &mut store, &SystemClock, &mut effects, limits).await;
            // Nobody can ask any more before those who asked are let go.
            drop(received);
            drop(effects);
            ended
        })
        .map_err(system("starting the engine"))?;
        // It has taken over the queue when it answers; one that could not has a reason.
        let answer = runtime.block_on(handle.query(Caller { uid: owner.0 }, Query::Counts));
        if let Err(Refusal::Stopping) = answer {
            return Err(match engine.join() {
                Ok(Err(error)) => error.into(),
                Ok(Ok(())) | Err(_) => StartError::Engine,
            });
        }

        let sockets = paths.sockets();
        let open = |path| Door::open(path, &lock, engine.runtime());
        let names = Names::new(user_name);
        names.learn(owner.0, PATIENCE_WITH_NAMES);
        let doors = sockets.iter().map(|path| open(path)).collect::<Result<_, _>>()?;
        drop(entered);
        let idle_exit = Some(settings.seconds("idle_exit")).filter(|limit| !limit.is_zero());
        let layers = Layers::of(&paths, environment, command_line);
        let settings = Mutex::new(settings);
        let settings =
            Box::new(Live { layers, engine: handle.clone(), regard, settings, reloading: Mutex::default() });
        let api = Arc::new(Api {
            engine: handle,
            connections: Arc::new(Connections::new(CONNECTIONS_MAX, CONNECTIONS_OF_ONE_MAX)),
            workers,
            vault,
            audience: Audience::User(owner),
            identity: Identity {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                pid: std::process::id(),
                started: rfc3339(SystemClock.now()),
                state_folder: paths.state_folder.display().to_string(),
                log: paths.log_file().display().to_string(),
                notices,
            },
            settings,
            names,
            stop: Arc::clone(&stop),
        });
        let damaged = Arc::new(AtomicBool::new(false));
        if let Some(check) = check {
            check_queue(check, Arc::clone(&damaged), stop);
        }
        tracing::info!(version = env!("CARGO_PKG_VERSION"), pid = std::process::id(), "the service is ready");
        Ok(Self { runtime, api, doors, engine, damaged, idle_exit, owner, lock })
    }

    /// Serves until somebody asks it to stop, or nobody needs it any more.
    pub(crate) fn run(self) -> ExitCode {
        let Self { runtime, api, doors, engine, damaged, idle_exit, owner, lock } = self;
        let code =
            runtime.block_on(serve(Arc::clone(&api), doors, idle_exit, owner, &lock, engine.runtime()));
        api.engine.shut_down();
        let code = match engine.join() {
            Ok(Ok(())) if damaged.load(Ordering::SeqCst) => ExitCode::FAILURE,
            Ok(Ok(())) => code,
            Ok(Err(error)) => {
                tracing::error!(%error, "the engine has ended");
                ExitCode::FAILURE
            }
            Err(_) => {
                tracing::error!("the engine has panicked");
                ExitCode::FAILURE
            }
        };
        runtime.shutdown_timeout(PATIENCE_WITH_CONNECTIONS);
        tracing::info!("the service has stopped");
        code
    }
}

impl Door {
    /// Opens the one at `path`, to be served in `runtime`.
    fn open(path: &std::path::Path, lock: &ServiceLock, runtime: &Handle) -> Result<Self, StartError> {
        let (listener, file) = endpoint::bind(path, lock)?;
        let _inside = runtime.enter();
        let listener = UnixListener::from_std(listener)
            .map_err(|source| StartError::System { doing: "listening", source })?;
        Ok(Self { listener, file })
    }
}

/// Who is at the other end of `socket`, as the kernel says.
fn identify(socket: BorrowedFd<'_>) -> io::Result<Peer> {
    caller_of(socket).map(|caller| Peer { caller: Caller { uid: caller.uid }, process: caller.pid })
}

async fn serve(
    api: Arc<Api>,
    doors: Vec<Door>,
    idle_exit: Option<Duration>,
    owner: Owner,
    lock: &ServiceLock,
    runtime: &Handle,
) -> ExitCode {
    let connections = Arc::clone(&api.connections);
    let (stop, stopping) = watch::channel(false);
    let open = |door: Door| {
        let socket = Socket(door.file.path().display().to_string());
        let desk = Desk::new(Arc::clone(&api), socket);
        let answer = move |request| desk.clone().answer(request);
        let connections = Arc::clone(&connections);
        runtime.spawn(http::serve(door.listener, answer, connections, identify, stopping.clone()));
        door.file
    };
    let mut files: Vec<SocketFile> = doors.into_iter().map(open).collect();

    let signals =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()));
    let (Ok(mut terminated), Ok(mut interrupted), Ok(mut hung_up)) = signals else {
        tracing::error!("signals cannot be received");
        return ExitCode::FAILURE;
    };
    let mut housekeeping = interval(HOUSEKEEPING_INTERVAL);
    let mut idle = Idle { served: 0, since: SystemClock.now() };
    loop {
        tokio::select! {
            () = api.stop.said() => break,
            _ = terminated.recv() => {
                tracing::info!("told to stop by SIGTERM");
                break;
            }
            _ = interrupted.recv() => {
                tracing::info!("told to stop by SIGINT");
                break;
            }
            _ = hung_up.recv() => {
                let api = Arc::clone(&api);
                // What came of it is in the log.
                tokio::task::spawn_blocking(move || api.settings.reload());
            }
            _ = housekeeping.tick() => {
                if !lock.is_in_place() {
                    // Another service may be started over the same folder, and nothing that is
                    // written here would be found again.
                    tracing::error!(lock = %lock.path().display(), "the state folder was taken away; the service leaves");
                    return ExitCode::FAILURE;
                }
                for file in &mut files {
                    if !file.is_ours() {
                        match Door::open(file.path(), lock, runtime) {
                            Ok(door) => *file = open(door),
                            Err(error) => tracing::warn!(%error, "a socket has vanished and cannot be made again"),
                        }
                    }
                }
                if let Some(limit) = idle_exit
                    && idle.lasts(&api, &connections, owner).await >= limit
                {
                    tracing::info!("nobody needs the service; it leaves");
                    break;
                }
            }
        }
    }
    // It may be a signal that has said so.
    api.stop.say();
    drop(files);
    // Nobody is left to hear it when all have gone.
    let _ = stop.send(true);
    api.engine.shut_down();
    if timeout(PATIENCE_WITH_CONNECTIONS, connections.all_gone()).await.is_err() {
        tracing::warn!(open = connections.open(), "connections are cut");
    }
    ExitCode::SUCCESS
}

/// Since when nobody has needed the service.
struct Idle {
    served: usize,
    since: Timestamp,
}

impl Idle {
    async fn lasts(&mut self, api: &Api, connections: &Connections, owner: Owner) -> Duration {
        let now = SystemClock.now();
        let caller = Caller { uid: owner.0 };
        let counts = api.engine.query(caller, Query::Counts).await;
        let has_no_jobs = matches!(counts, Ok(Response::Counts(counts)) if counts.is_empty());
        let notices = api.engine.query(caller, Query::Notices).await;
        let has_told_all = matches!(notices, Ok(Response::Notices(false)));
        let is_idle =
            has_no_jobs && has_told_all && connections.open() == 0 && connections.served() == self.served;
        if !is_idle {
            *self = Self { served: connections.served(), since: now };
        }
        now.since(self.since)
    }
}

/// Where the system bus is.
fn bus_address(environment: crate::Environment<'_>) -> String {
    let given = environment("DBUS_SYSTEM_BUS_ADDRESS").and_then(|address| address.into_string().ok());
    given.unwrap_or_else(|| "unix:path=/run/dbus/system_bus_socket".to_owned())
}

/// What the settings say of how many jobs run, when, and how fast.
fn bounds(settings: &Settings) -> Bounds {
    Bounds { limits: settings.limits(), rates: settings.rate_limits(), timetable: settings.timetable() }
}

/// Lets the engine know when the clock was set.
fn watch_clock(engine: &EngineHandle) {
    let engine = engine.clone();
    let watching = move || -> io::Result<std::convert::Infallible> {
        let watch = ClockWatch::new()?;
        loop {
            watch.wait()?;
            engine.clock_set();
        }
    };
    let run = move || {
        let Err(error) = watching();
        tracing::warn!(%error, "nobody hears when the clock is set");
    };
    if let Err(error) = thread::Builder::new().name("clock".to_owned()).spawn(run) {
        tracing::warn!(%error, "nobody hears when the clock is set");
    }
}

/// The settings of a service that runs.
#[derive(Debug)]
struct Live {
    layers: Layers,
    engine: EngineHandle,
    regard: watch::Sender<Regard>,
    settings: Mutex<Settings>,
    /// Held by whoever reads them again: the files can be somewhere that takes long.
    reloading: Mutex<()>,
}

impl Live {
    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SettingsDesk for Live {
    fn listed(&self) -> SettingList {
        self.settings().listed()
    }

    fn reload(&self) -> Result<Reloaded, String> {
        let _alone = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let read = self.layers.load().map_err(|error| {
            tracing::warn!(%error, "the settings were not taken over; those of before hold");
            error.to_string()
        })?;
        let mut settings = self.settings();
        let (live, others): (Vec<_>, Vec<_>) =
            read.changed_since(&settings).into_iter().partition(|key| LIVE.contains(key));
        tracing::info!(changed = ?live, need_restart = ?others, "the settings were read again");
        *settings = settings.with_live_of(&read);
        self.engine.set_bounds(bounds(&settings));
        self.regard.send_replace(settings.regard());
        let words = |keys: Vec<&str>| keys.into_iter().map(str::to_owned).collect();
        Ok(Reloaded { changed: words(live), need_restart: words(others) })
    }
}

fn open_store(paths: &Paths, notices: &mut Vec<String>) -> Result<(SqliteStore, Option<Check>), StartError> {
    // Without the name of this boot a queue that was not closed is gone through.
    let opened = SqliteStore::open_quickly(&paths.database(), boot::current().ok())?;
    if let Some(aside) = &opened.set_aside {
        notices.push(format!(
            "the queue was damaged ({}) and is kept as {}; this one began empty",
            aside.reason,
            aside.path.display()
        ));
    }
    Ok((opened.store, opened.check))
}

/// Goes through the queue while it is used. Where it is damaged the service ends: the next one sets the
/// queue aside before it uses any of it.
fn check_queue(check: Check, damaged: Arc<AtomicBool>, stop: Arc<Stop>) {
    let run = move || {
        thread::sleep(CHECK_AFTER);
        // What a job moves goes before.
        if let Err(error) = rustix::process::setpriority_process(None, 19) {
            tracing::debug!(%error, "the check of the queue is as important as all else");
        }
        match check.run() {
            Ok(Looked::Through) => tracing::debug!("the queue was gone through"),
            Ok(Looked::InVain) => {
                tracing::info!(
                    "the queue was not gone through: it could not be read without a change meanwhile"
                );
            }
            Err(reason) => {
                tracing::error!(
                    %reason,
                    "the queue is damaged; the service ends, and the next one keeps it under another name"
                );
                damaged.store(true, Ordering::SeqCst);
                stop.say();
            }
        }
    };
    if let Err(error) = thread::Builder::new().name("check".to_owned()).spawn(run) {
        tracing::warn!(%error, "the queue is not gone through");
    }
}

/// Variables of the service that a notification command finds: who its owner is, how things are
/// written, and where the desktop is. None of ours, and nothing that could be a secret.
const COMMAND_VARIABLES: [&str; 17] = [
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "PATH",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "LC_MESSAGES",
    "LC_TIME",
    "TZ",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
    "DISPLAY",
    "XAUTHORITY",
    "WAYLAND_DISPLAY",
];

fn command_environment(environment: crate::Environment<'_>) -> Vec<(String, OsString)> {
    let variables = COMMAND_VARIABLES.into_iter();
    variables.filter_map(|name| Some((name.to_owned(), environment(name)?))).collect()
}

fn worker_settings(
    settings: &Settings,
    command_environment: Vec<(String, OsString)>,
) -> bits_worker::run::Settings {
    bits_worker::run::Settings {
        connect_timeout: settings.seconds("connect_timeout"),
        response_timeout: settings.seconds("response_timeout"),
        idle_timeout: settings.seconds("idle_timeout"),
        extra_ca: settings.extra_ca(),
        crl: settings.crl(),
        user_agent: settings.user_agent(),
        politeness: settings.politeness(),
        proxies: settings.proxies(),
        http2: settings.http2(),
        commands: CommandSettings {
            time_limit: settings.seconds("notify_command_timeout"),
            environment: command_environment,
        },
        parts: settings.parts(),
        ..bits_worker::run::Settings::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bits_core::job::{Job, JobId, Properties, State};
    use bits_core::ports::{Batch, JobChange, Store};

    #[test]
    fn a_service_whose_engine_cannot_take_over_the_queue_says_why_and_does_not_start() {
        let folder = tempfile::tempdir().expect("a folder");
        let environment = |name: &str| match name {
            "XDG_STATE_HOME" | "XDG_CONFIG_HOME" | "HOME" => Some(folder.path().into()),
            _ => None,
        };
        let paths = Paths::of_user(&environment).expect("paths");
        ensure_private_folder(&paths.state_folder).expect("a private folder");
        let mut store = SqliteStore::open(&paths.database()).expect("a store").store;
        let properties = Properties::named("a job".to_owned()).expect("a name");
        let mut job = Job::new(JobId([1; 16]), Owner(own_uid()), properties, Timestamp(0));
        job.state = State::Queued;
        let jobs = vec![JobChange { job, was: None }];
        store.commit(&Batch { jobs, ..Batch::default() }).expect("committed");
        drop(store);
        let database = rusqlite::Connection::open(paths.database()).expect("a database");
        database.execute("UPDATE jobs SET priority = 99", []).expect("changed");
        drop(database);

        let error = Service::start(&environment, &[], false).err().expect("it cannot start");
        assert!(matches!(error, StartError::Store(StoreError::Corrupt { .. })), "{error}");
        assert!(paths.sockets().iter().all(|socket| !socket.exists()), "nobody is let in");
    }
}
