//! The binary: where it finds its configuration, what it refuses, and what it says then.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::leaks;

const PROGRAM: &str = env!("CARGO_BIN_EXE_proxmox-mcp");

const SECRET: &str = "11111111-2222-3333-4444-5ec2e75ec2e7";

const SINGLE: &str = "PROXMOX_API_URL=https://pve.example.com:8006
PROXMOX_TOKEN_ID=mcp@pve!main
PROXMOX_TOKEN_SECRET=11111111-2222-3333-4444-5ec2e75ec2e7
PROXMOX_VERIFY=true
";

/// A folder that holds a home and a working directory, neither of which is the tester's.
struct House {
    folder: TempDir,
    program: PathBuf,
}

impl House {
    fn new() -> House {
        let folder = tempfile::tempdir().unwrap();
        for part in ["home", "work"] {
            fs::create_dir(folder.path().join(part)).unwrap();
        }
        House {
            folder,
            program: PathBuf::from(PROGRAM),
        }
    }

    /// With the program in its folder `bin`. It is linked, where the build's files are: a copy is not
    /// fit to run while another test's child still has it open for writing.
    fn with_program() -> House {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        for part in ["home", "work", "bin"] {
            fs::create_dir(folder.path().join(part)).unwrap();
        }
        let program = folder.path().join("bin/proxmox-mcp");
        fs::hard_link(PROGRAM, &program).unwrap();
        House { folder, program }
    }

    fn path(&self, part: &str) -> PathBuf {
        self.folder.path().join(part)
    }

    fn write(&self, part: &str, mode: u32, content: &str) {
        let path = self.path(part);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.path("home"))
            .current_dir(self.path("work"))
            .stdin(Stdio::null());
        command
    }

    /// Runs it to its end; whatever happens, the secret is not shown.
    fn run(&self, arguments: &[&str]) -> Said {
        Said::new(leaks::output(&mut self.command(arguments)))
    }
}

struct Said {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Said {
    fn new(output: Output) -> Said {
        let said = Said {
            status: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        assert!(!said.stderr.contains("5ec2e75ec2e7"), "{}", said.stderr);
        said
    }

    /// Not started, with a line that holds each of these, and as many problems.
    #[track_caller]
    fn refused(&self, parts: &[&str]) {
        assert_eq!(self.status, Some(2), "{}", self.stderr);
        assert_eq!(self.stdout, "");
        let lines: Vec<&str> = self
            .stderr
            .lines()
            .filter(|line| line.contains("ClusterConfigurationError: "))
            .collect();
        for part in parts {
            assert!(
                lines.iter().any(|line| line.contains(part)),
                "no {part} in\n{}",
                self.stderr
            );
        }
        assert_eq!(lines.len(), parts.len(), "{}", self.stderr);
    }

    /// Started, with these warnings.
    #[track_caller]
    fn started(&self, warnings: &[&str]) {
        assert_eq!(self.status, Some(0), "{}", self.stderr);
        assert_eq!(self.stdout, "");
        let lines: Vec<&str> = self.stderr.lines().collect();
        assert_eq!(lines.len(), warnings.len(), "{}", self.stderr);
        for (line, warning) in lines.iter().zip(warnings) {
            assert!(line.contains(warning), "no {warning} in\n{}", self.stderr);
        }
    }
}

const OF_USER: &str = "home/.config/proxmox-mcp/.env";

#[test]
fn a_broken_file_lists_all_its_problems_and_no_secret() {
    let house = House::new();
    house.write(
        "broken.env",
        0o600,
        &format!(
            "PROXMOX_CLUSTERS=production,staging,disaster-recovery,all
PROXMOX_CLUSTER_PATTERNS=prod-production,stg-:stagin
PROXMOX_CLUSTER_production_API_URL=https://mcp:{SECRET}@pve
PROXMOX_CLUSTER_production_TOKEN_ID=mcp@pve!main={SECRET}
PROXMOX_CLUSTER_production_TOKEN_SECRET={SECRET} {SECRET}
PROXMOX_CLUSTER_production_VERIFY={SECRET}
PROXMOX_CLUSTER_staging_API_URL=https://pve
this line holds {SECRET}
PROXMOX_CLUSTER_staging_TOKEN_SECRET {SECRET}
PROXMOX_CLUSTER_disaster-recovery_API_URL='https://dr
PROXMOX_CLUSTER_disaster-recovery_TOKEN_ID=mcp@pve!dr
PROXMOX_CLUSTER_disaster-recovery_TOKEN_SECRET={SECRET}
PROXMOX_CLUSTER_disaster-recovery_TIMEOUT={SECRET}
PROXMOX_ACESS={SECRET}
PROXMOX_PROTECT={SECRET}
"
        ),
    );
    let said = house.run(&["--env-file", house.path("broken.env").to_str().unwrap()]);
    said.refused(&[
        "PROXMOX_CLUSTERS: a cluster cannot be named `all`",
        "PROXMOX_CLUSTER_PATTERNS: item 1",
        "PROXMOX_CLUSTER_PATTERNS: item 2: no cluster is named `stagin`",
        "PROXMOX_CLUSTER_production_API_URL: holds a user or a password",
        "PROXMOX_CLUSTER_production_TOKEN_ID: ",
        "PROXMOX_CLUSTER_production_TOKEN_SECRET: ",
        "PROXMOX_CLUSTER_production_VERIFY: ",
        "broken.env: line 8 cannot be read",
        "broken.env: line 9 cannot be read",
        "broken.env: line 10 cannot be read",
        "PROXMOX_CLUSTER_staging_TOKEN_ID: is not set",
        "PROXMOX_CLUSTER_staging_TOKEN_SECRET: is not set",
        "PROXMOX_CLUSTER_disaster-recovery_API_URL: is not set",
        "PROXMOX_CLUSTER_disaster-recovery_TIMEOUT: ",
        "PROXMOX_ACESS: is unknown",
        "PROXMOX_PROTECT: item 1 is none of",
    ]);
}

#[test]
fn a_file_of_the_working_directory_changes_nothing() {
    let house = House::new();
    house.write("work/.env", 0o600, SINGLE);
    house
        .run(&[])
        .refused(&["PROXMOX_CLUSTERS, or PROXMOX_API_URL", "--env-file ./.env"]);
    house.run(&["--env-file", "./.env"]).started(&[]);
    house.run(&["--env-file=.env"]).started(&[]);
    house.write("work/.env", 0o600, "PROXMOX_VERIFY=nonsense\n");
    house.write(OF_USER, 0o600, SINGLE);
    house.run(&[]).started(&[]);
}

#[test]
fn nothing_configured_names_the_variables_and_the_places() {
    let house = House::new();
    let said = house.run(&[]);
    said.refused(&[".env.example.multi", "home/.config/proxmox-mcp/.env"]);
    assert!(
        said.stderr.contains("/etc/proxmox-mcp/.env"),
        "{}",
        said.stderr
    );
    assert!(
        !said.stderr.contains("--env-file ./.env"),
        "{}",
        said.stderr
    );
}

/// What is wrong in the environment is no file's fault.
#[test]
fn an_error_about_the_environment_is_not_followed_by_one_about_a_file() {
    let house = House::new();
    let with = |pairs: &[(&str, &str)]| {
        let mut command = house.command(&[]);
        command.envs(pairs.iter().copied());
        Said::new(leaks::output(&mut command))
    };
    with(&[
        ("PROXMOX_API_URL", "\"https://pve\""),
        ("PROXMOX_TOKEN_ID", "a@b!c"),
        ("PROXMOX_TOKEN_SECRET", SECRET),
    ])
    .refused(&["PROXMOX_API_URL: stands in quotes"]);
    with(&[("PROXMOX_API_URL", "https://pve")]).refused(&[
        "PROXMOX_TOKEN_ID: is not set",
        "PROXMOX_TOKEN_SECRET: is not set",
    ]);
    with(&[("PROXMOX_HOST", "pve"), ("PROXMOX_TOKEN_VALUE", SECRET)])
        .refused(&["`PROXMOX_API_URL=https://${PROXMOX_HOST}`"]);
    with(&[("PROXMOX_LOG", "info")]).refused(&[
        "PROXMOX_CLUSTERS, or PROXMOX_API_URL",
        "there is no configuration file",
    ]);
}

#[test]
fn a_file_in_utf_16_is_called_that() {
    let house = House::new();
    for (mark, ends) in [
        (&[0xff, 0xfe][..], 0),
        (&[0xfe, 0xff], 1),
        (&[], 0),
        (&[], 1),
    ] {
        let units = SINGLE.encode_utf16().flat_map(|unit| match ends {
            0 => unit.to_le_bytes(),
            _ => unit.to_be_bytes(),
        });
        let bytes: Vec<u8> = mark.iter().copied().chain(units).collect();
        house.write(OF_USER, 0o600, "");
        fs::write(house.path(OF_USER), bytes).unwrap();
        house.run(&[]).refused(&[".env: is a text in UTF-16"]);
    }
}

/// A name that is no text is looked at all the same.
#[test]
fn a_name_of_the_environment_that_is_no_text_is_not_passed_over() {
    let house = House::new();
    house.write(OF_USER, 0o600, SINGLE);
    let bytes = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes;
    let mut command = house.command(&[]);
    command.env(bytes(b"PROXMOX_ACCESS\xff"), "read");
    command.env(bytes(b"OTHER\xff"), "read");
    Said::new(leaks::output(&mut command))
        .refused(&["PROXMOX_ACCESS\\u{fffd}: is not plain ASCII"]);
    let mut command = house.command(&[]);
    command.env("proxmox_access", bytes(b"\xff"));
    Said::new(leaks::output(&mut command)).refused(&["proxmox_access: is not UTF-8"]);
}

#[test]
fn the_first_file_that_exists_is_the_one() {
    let house = House::with_program();
    let broken = |what: &str| format!("{SINGLE}PROXMOX_{what}=x\n");
    house.write("bin/.env", 0o600, &broken("ACCESS"));
    house.run(&[]).refused(&["PROXMOX_ACCESS: "]);
    house.write(OF_USER, 0o600, &broken("PROTECT"));
    house.run(&[]).refused(&["PROXMOX_PROTECT: "]);
    house.write("xdg/proxmox-mcp/.env", 0o600, &broken("TOOLSETS"));
    let xdg = |value: &std::path::Path| {
        Said::new(leaks::output(
            house.command(&[]).env("XDG_CONFIG_HOME", value),
        ))
    };
    xdg(&house.path("xdg")).refused(&["PROXMOX_TOOLSETS: "]);
    xdg("../xdg".as_ref()).refused(&["PROXMOX_PROTECT: "]);
    house.write("given.env", 0o600, &broken("BULK_LIMIT"));
    house
        .run(&["--env-file", "../given.env"])
        .refused(&["PROXMOX_BULK_LIMIT: "]);
    house
        .run(&["--env-file", "../nowhere.env"])
        .refused(&["../nowhere.env: No such file"]);
    house
        .run(&["--env-file", "."])
        .refused(&[".: is not a file"]);
    // One that exists and cannot be read is not passed over.
    fs::remove_file(house.path(OF_USER)).unwrap();
    symlink("/nowhere/.env", house.path(OF_USER)).unwrap();
    house.run(&[]).refused(&["proxmox-mcp/.env: No such file"]);
}

#[test]
fn a_file_that_others_may_write_is_refused() {
    let house = House::new();
    for mode in [0o620, 0o602, 0o666, 0o660] {
        house.write(OF_USER, mode, SINGLE);
        house
            .run(&[])
            .refused(&["others than its owner may write it, so it is not read: chmod go-w"]);
    }
    for mode in [0o640, 0o604, 0o644] {
        house.write(OF_USER, mode, SINGLE);
        house.run(&[]).started(&["others can read it: chmod 600"]);
    }
    house.write(OF_USER, 0o400, SINGLE);
    house.run(&[]).started(&[]);
}

/// What is no file with bytes of its own is named, and never waited for.
#[test]
fn nothing_but_a_file_is_opened() {
    let house = House::new();
    let pipe = house.path("pipe");
    let made = Command::new("mkfifo")
        .args(["-m", "600"])
        .arg(&pipe)
        .status();
    assert!(made.unwrap().success());
    symlink(&pipe, house.path("link")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(house.path("socket")).unwrap();
    for (what, said) in [
        ("pipe", "pipe: is not a file but a named pipe"),
        ("link", "link: is not a file but a named pipe"),
        ("socket", "socket: is not a file but a socket"),
        ("home", "home: is not a file but a folder"),
        ("/dev/zero", "/dev/zero: is not a file but a device"),
    ] {
        let path = house.path(what);
        let path = path.to_str().unwrap();
        house.run(&["--env-file", path]).refused(&[said]);
        // Of a cluster's files it is a warning: they are opened when a connection is made.
        let of_file = SINGLE.replace(
            &format!("TOKEN_SECRET={SECRET}"),
            &format!("TOKEN_SECRET_FILE={path}"),
        );
        house.write(
            OF_USER,
            0o600,
            &format!("{of_file}PROXMOX_CA_FILE={path}\n"),
        );
        house.run(&[]).started(&[
            &format!("CA_FILE: {path}: is not a file but"),
            &format!("TOKEN_SECRET_FILE: {path}: is not a file but"),
        ]);
        let shown = Said::new(leaks::output(&mut house.command(&["audit", "show", path])));
        assert!(shown.stderr.contains(said), "{}", shown.stderr);
    }
}

/// Between a look at the path and the opening it may have become another thing.
#[test]
fn a_file_that_becomes_a_pipe_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let [file, pipe, path] = ["file", "pipe", "path"].map(|name| folder.path().join(name));
    fs::write(&file, "x").unwrap();
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for turn in (0..).take_while(|_| !done.load(std::sync::atomic::Ordering::SeqCst)) {
                let target = if turn % 2 == 0 { &pipe } else { &file };
                let next = folder.path().join("next");
                symlink(target, &next).unwrap();
                fs::rename(&next, &path).unwrap();
            }
        });
        let begun = std::time::Instant::now();
        while begun.elapsed() < std::time::Duration::from_secs(1) {
            let _ = proxmox_mcp::files::read_limited(&path, 10);
        }
        done.store(true, std::sync::atomic::Ordering::SeqCst);
    });
}

#[test]
fn a_file_of_a_stranger_is_refused() {
    let house = House::new();
    house.write(OF_USER, 0o600, SINGLE);
    // Only root can give a file away; others cannot make this case.
    if std::os::unix::fs::chown(house.path(OF_USER), Some(12345), None).is_ok() {
        house
            .run(&[])
            .refused(&["belongs to neither the user nor root (uid 12345)"]);
    }
}

#[test]
fn the_environment_alone_is_enough_and_holds_before_the_file() {
    let house = House::new();
    let with = |house: &House, pairs: &[(&str, &str)]| {
        let mut command = house.command(&[]);
        command.envs(pairs.iter().copied());
        Said::new(leaks::output(&mut command))
    };
    let pairs = [
        ("PROXMOX_API_URL", "https://pve"),
        ("PROXMOX_TOKEN_ID", "a@b!c"),
        ("PROXMOX_TOKEN_SECRET", SECRET),
    ];
    with(&house, &pairs).started(&[]);
    house.write(OF_USER, 0o600, &format!("{SINGLE}PROXMOX_LOG=nonsense\n"));
    house.run(&[]).refused(&["PROXMOX_LOG: "]);
    with(&house, &[("PROXMOX_LOG", "info")]).started(&[]);
    with(&house, &[("PROXMOX_LOG", "")]).started(&[]);
    let mut command = house.command(&[]);
    let not_text = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"\xff");
    command.env("PROXMOX_LOG", not_text).env("OTHER", not_text);
    Said::new(leaks::output(&mut command))
        .refused(&["PROXMOX_LOG: is not UTF-8", "PROXMOX_LOG: is none of"]);
}

#[test]
fn the_example_and_a_single_cluster_file_are_read() {
    let house = House::new();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join(".env.example.multi");
    house.write("example.env", 0o600, &fs::read_to_string(example).unwrap());
    house.run(&["--env-file", "../example.env"]).started(&[]);
    house.write("single.env", 0o600, SINGLE);
    house.run(&["--env-file", "../single.env"]).started(&[]);
}

#[test]
fn missing_files_of_a_cluster_are_warned_of() {
    let house = House::new();
    let file = SINGLE.replace("TOKEN_SECRET=", "TOKEN_SECRET_FILE=/nowhere/");
    house.write(
        OF_USER,
        0o600,
        &format!("{file}PROXMOX_CA_FILE=/nowhere/ca.pem\n"),
    );
    let said = leaks::output(&mut house.command(&[]));
    let stderr = String::from_utf8(said.stderr).unwrap();
    assert_eq!(said.status.code(), Some(0), "{stderr}");
    assert!(
        stderr.contains("default: CA_FILE: /nowhere/ca.pem: No such file"),
        "{stderr}"
    );
    assert!(
        stderr.contains("default: TOKEN_SECRET_FILE: /nowhere/"),
        "{stderr}"
    );
}

#[test]
fn arguments() {
    let house = House::new();
    for (arguments, part) in [
        (&["--frobnicate"][..], "there is no argument `--frobnicate`"),
        (&["serve"], "there is no command `serve`"),
        (&["tools", "-x=1"], "there is no argument `-x=1`"),
        (&["--env-file"], "`--env-file` needs a value"),
        (&["--env-file="], "`--env-file` needs a value"),
        (
            &["--env-file=a", "--env-file=b"],
            "`--env-file` is there twice",
        ),
    ] {
        let said = house.run(arguments);
        assert_eq!(said.status, Some(2));
        assert_eq!(said.stdout, "");
        assert!(said.stderr.contains(part), "{}", said.stderr);
    }
    let version = house.run(&["--version"]);
    // What the Makefile hands in is there in its builds alone.
    let known = |handed_in: Option<&'static str>| handed_in.unwrap_or("unknown");
    let (commit, target) = (
        known(option_env!("PROXMOX_MCP_COMMIT")),
        known(option_env!("PROXMOX_MCP_TARGET")),
    );
    let number = env!("CARGO_PKG_VERSION");
    assert_eq!(
        version.stdout,
        format!("proxmox-mcp {number} (commit {commit}, target {target})\n")
    );
    let help = house.run(&["--help"]);
    assert_eq!((help.status, help.stderr.as_str()), (Some(0), ""));
    assert!(help.stdout.contains("--env-file PATH"));
    assert!(help.stdout.contains("PROXMOX_CLUSTERS\n"));
    assert!(
        !help.stdout.contains("FILE_DIRS"),
        "what is not built is not offered"
    );
}
