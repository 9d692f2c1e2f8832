//! Installing, and what a manager makes of the files.

use super::*;

fn an_entry(home: &Path, program: &Path) -> ServiceEntry {
    ServiceEntry {
        program: program.into(),
        arguments: Vec::new(),
        environment: Vec::new(),
        config_home: home.into(),
        agent: None,
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

#[test]
fn what_systemd_says_of_the_unit_is_read() {
    for (shown, expected) in [
        ("", UnitState::NoManager),
        ("LoadState=not-found\nActiveState=inactive\nUnitFileState=\n", UnitState::NotInstalled),
        (
            "UnitFileState=enabled\nLoadState=loaded\nActiveState=failed\n",
            UnitState::Installed { active: "failed".to_owned(), enabled: "enabled".to_owned() },
        ),
    ] {
        assert_eq!(state_in(shown), expected);
    }
}

#[test]
fn the_unit_is_installed_enabled_and_taken_away_again() {
    let home = tempfile::tempdir().unwrap();
    let entry = an_entry(home.path(), Path::new("/usr/bin/bitsd"));
    let files = write_files(&entry, Starter::Systemd).unwrap();
    assert_eq!(write_files(&entry, Starter::Systemd).unwrap(), files, "a second time");

    let unit = home.path().join("systemd/user/bitsd.service");
    let wanted = home.path().join("systemd/user/default.target.wants/bitsd.service");
    assert_eq!(files, [unit.clone(), wanted.clone()]);
    assert_eq!(std::fs::read_link(&wanted).unwrap(), unit);
    let text = std::fs::read_to_string(&unit).unwrap();
    assert!(text.contains("\nExecStart=\"/usr/bin/bitsd\"\n"), "{text}");

    assert_eq!(remove_files(home.path()).unwrap(), [wanted, unit]);
    assert!(files_below(home.path()).is_empty());
    assert!(remove_files(home.path()).unwrap().is_empty());
}

#[test]
fn the_agent_is_installed_for_graphical_sessions_and_goes_with_the_service() {
    let home = tempfile::tempdir().unwrap();
    let with_agent = ServiceEntry {
        agent: Some("/usr/bin/bits".into()),
        ..an_entry(home.path(), Path::new("/usr/bin/bitsd"))
    };
    let files = write_files(&with_agent, Starter::Systemd).unwrap();
    let unit = home.path().join("systemd/user/bits-agent.service");
    let wanted = home.path().join("systemd/user/graphical-session.target.wants/bits-agent.service");
    assert_eq!((&files[1], &files[3], files.len()), (&unit, &wanted, 4));
    assert_eq!(std::fs::read_link(&wanted).unwrap(), unit);
    let text = std::fs::read_to_string(&unit).unwrap();
    assert!(text.contains("\nExecStart=\"/usr/bin/bits\" agent --quiet\n"), "{text}");

    let files = write_files(&with_agent, Starter::Desktop).unwrap();
    let entry = home.path().join("autostart/bits-agent.desktop");
    assert_eq!(files[1], entry);
    let text = std::fs::read_to_string(&entry).unwrap();
    assert!(text.contains("\nExec=\"/usr/bin/bits\" \"agent\" \"--quiet\"\n"), "{text}");
    let mut below = files.clone();
    below.sort();
    assert_eq!(files_below(home.path()), below);

    let without = ServiceEntry { agent: None, ..with_agent.clone() };
    write_files(&without, Starter::Systemd).unwrap();
    assert!(!unit.exists(), "it is taken away where it is not wanted any more");
    let relative = ServiceEntry { agent: Some("bits".into()), ..with_agent };
    assert!(matches!(write_files(&relative, Starter::Systemd), Err(ServiceError::ProgramIsRelative(_))));
    remove_files(home.path()).unwrap();
    assert!(files_below(home.path()).is_empty());
}

#[test]
fn only_one_starter_is_installed_at_a_time() {
    let home = tempfile::tempdir().unwrap();
    let entry = an_entry(home.path(), Path::new("/usr/bin/bitsd"));
    for starter in [Starter::Systemd, Starter::Desktop, Starter::Systemd] {
        let mut files = write_files(&entry, starter).unwrap();
        files.sort();
        assert_eq!(files_below(home.path()), files, "{starter:?}");
    }
}

#[test]
fn a_unit_that_a_person_wrote_is_neither_replaced_nor_removed() {
    let home = tempfile::tempdir().unwrap();
    let entry = an_entry(home.path(), Path::new("/usr/bin/bitsd"));
    let unit = home.path().join("systemd/user/bitsd.service");
    std::fs::create_dir_all(unit.parent().unwrap()).unwrap();
    std::fs::write(&unit, "[Service]\nExecStart=/bin/true\n").unwrap();
    for starter in [Starter::Systemd, Starter::Desktop] {
        assert!(matches!(write_files(&entry, starter), Err(ServiceError::NotOurs(path)) if path == unit));
    }
    assert!(matches!(remove_files(home.path()), Err(ServiceError::NotOurs(path)) if path == unit));
    assert_eq!(files_below(home.path()), [unit]);
}

#[test]
fn what_cannot_stand_in_a_unit_is_refused() {
    let home = tempfile::tempdir().unwrap();
    for starter in [Starter::Systemd, Starter::Desktop] {
        let relative = an_entry(home.path(), Path::new("bin/bitsd"));
        assert!(matches!(write_files(&relative, starter), Err(ServiceError::ProgramIsRelative(_))));
        let two_lines = an_entry(home.path(), Path::new("/bin/bitsd\nExecStart=/bin/sh"));
        assert!(matches!(write_files(&two_lines, starter), Err(ServiceError::NotWritable(_))));
        let quote = an_entry(home.path(), Path::new("/it's/bitsd"));
        assert!(matches!(write_files(&quote, Starter::Systemd), Err(ServiceError::ProgramIsQuoted(_))));
        let mut entry = an_entry(home.path(), Path::new("/bin/bitsd"));
        entry.environment = vec![("XDG_STATE_HOME".into(), "/x\ny".into())];
        assert!(matches!(write_files(&entry, starter), Err(ServiceError::NotWritable(_))));
    }
    assert!(files_below(home.path()).is_empty());
}

#[test]
fn awkward_texts_are_quoted_as_each_starter_reads_them() {
    let mut entry = an_entry(Path::new("/c"), Path::new("/a b/100%/$HOME/`t`/bitsd"));
    entry.arguments = vec![r#"$x "q"\"#.into()];
    entry.environment = vec![("XDG_STATE_HOME".into(), "/a b/100%".into())];
    let unit = systemd::unit(&entry).unwrap();
    assert!(unit.contains("\nExecStart=\"/a b/100%%/$HOME/`t`/bitsd\" \"$$x \\\"q\\\"\\\\\"\n"), "{unit}");
    assert!(unit.contains("\nEnvironment=\"XDG_STATE_HOME=/a b/100%%\"\n"), "{unit}");
    assert!(unit.contains("\nUnsetEnvironment=KRB5CCNAME "), "{unit}");
    let desktop = desktop::entry(&entry).unwrap();
    assert!(
        desktop.contains(
            r#"
Exec=env "XDG_STATE_HOME=/a b/100%%" "/a b/100%%/\\$HOME/\\`t\\`/bitsd" "\\$x \\"q\\"\\\\"
"#
        ),
        "{desktop}"
    );
}

#[test]
fn systemd_finds_nothing_to_say_about_the_unit() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        eprintln!("skipped: systemd-analyze is not installed");
        return;
    }
    let home = tempfile::tempdir().unwrap();
    for folder in ["plain", "a b/100%/$HOME/${HOME}/`t;`/ä"] {
        let program = home.path().join(folder).join("bitsd");
        std::fs::create_dir_all(program.parent().unwrap()).unwrap();
        std::fs::copy("/bin/true", &program).unwrap();
        let mut entry = an_entry(home.path(), &program);
        entry.arguments = vec![r#"100% "$HOME" \n'"#.into()];
        entry.environment = vec![("XDG_STATE_HOME".into(), r#"/a b/100%/"\$x'"#.into())];
        entry.agent = Some(program.clone());
        let files = write_files(&entry, Starter::Systemd).unwrap();

        let verified = Command::new("systemd-analyze")
            .args(["--user", "--man=no", "verify"])
            .args(&files[..2])
            .env("XDG_RUNTIME_DIR", home.path())
            .output()
            .unwrap();
        let said = [verified.stdout, verified.stderr].concat();
        assert_eq!(String::from_utf8_lossy(&said), "");
        assert!(verified.status.success());
    }
}
