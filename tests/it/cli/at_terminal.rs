//! The program with a person at its terminal: the question before what asks, and the line that says
//! how long it has been waited.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use serde_json::{Value, json};

use crate::cli::binary::until;
use crate::cli::commands::Shell;
use crate::demo::client::PATIENCE;
use crate::leaks;
use crate::sim::World;
use crate::sim::guest::Status;
use crate::sim::spec::holds_a_secret;

/// A program whose standard input and error are a terminal, and its standard output a pipe.
struct AtTerminal {
    child: Child,
    keyboard: File,
    shown: Receiver<String>,
    screen: String,
}

impl AtTerminal {
    fn start(mut command: Command) -> AtTerminal {
        // Not the terminal of whoever runs the tests, which would end them when it is closed.
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
        let ours = openpt(flags).expect("a terminal");
        unlockpt(&ours).expect("it opens");
        let theirs = ioctl_tiocgptpeer(&ours, flags).expect("the other side");
        let again = theirs.try_clone().expect("a copy");
        command.stdin(theirs).stderr(again);
        command.stdout(Stdio::piped());
        let child = command.spawn().expect("it starts");
        // It holds their side, which would never look closed.
        drop(command);
        let keyboard = File::from(ours);
        let mut screen = keyboard.try_clone().expect("a copy");
        let (sender, shown) = mpsc::channel();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            // The end of the other side is an error here.
            while let Ok(count @ 1..) = screen.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
                if sender.send(text).is_err() {
                    return;
                }
            }
        });
        AtTerminal {
            child,
            keyboard,
            shown,
            screen: String::new(),
        }
    }

    /// Waits until this stands on the screen.
    #[track_caller]
    fn shows(&mut self, text: &str) {
        while !self.screen.contains(text) {
            match self.shown.recv_timeout(PATIENCE) {
                Ok(more) => self.screen.push_str(&more),
                Err(_) => panic!("no {text} on\n{}", self.screen),
            }
        }
    }

    fn types(&mut self, text: &str) {
        self.keyboard
            .write_all(text.as_bytes())
            .expect("it is typed");
    }

    /// Its exit status, its standard output, and all that stood on the screen.
    fn end(mut self) -> (Option<i32>, String, String) {
        let mut output = String::new();
        let mut stdout = self.child.stdout.take().expect("a pipe");
        stdout.read_to_string(&mut output).expect("text");
        let status = self.child.wait().expect("it ends").code();
        self.screen.extend(self.shown.iter());
        assert!(!holds_a_secret(&self.screen) && !holds_a_secret(&output));
        (status, output, self.screen)
    }
}

const STOP: &str = r#"{"guest":110,"cluster":"production","action":"stop"}"#;
const QUESTION: &str = "anything else leaves it alone: ";

/// The question about a running guest.
fn asked(world: &World) -> AtTerminal {
    asked_with(world, "")
}

/// The question, with these lines in the configuration.
fn asked_with(world: &World, more: &str) -> AtTerminal {
    world.cluster("production").edit(|state| {
        state.guests.get_mut(&110).expect("billing").status = Status::Running;
    });
    let shell = Shell::new(&format!("{}\n{more}\n", world.env()));
    let mut program = AtTerminal::start(shell.command(&["call", "guest_power", STOP, "--json"]));
    program.shows(QUESTION);
    assert!(program.screen.contains("name: billing"));
    // It has read its configuration by now.
    drop(shell);
    program
}

fn writes(world: &World) -> usize {
    let seen = world.seen();
    seen.iter().filter(|seen| seen.method != "GET").count()
}

#[test]
fn the_name_that_is_typed_confirms() {
    let world = World::three();
    let mut program = asked(&world);
    assert_eq!(writes(&world), 0);
    program.types("billing\n");
    let (status, output, screen) = program.end();
    assert_eq!(status, Some(0), "{screen}");
    let answer: Value = serde_json::from_str(&output).expect("standard output is the answer");
    assert_eq!(answer["status"], json!("stopped"));
    assert_eq!(writes(&world), 1);
}

/// Who sits at the terminal is the user: no code has to be read off and typed again.
#[test]
fn a_person_is_asked_also_where_a_client_would_get_a_code() {
    let world = World::three();
    for confirm in ["PROXMOX_CONFIRM=code", "PROXMOX_CONFIRM=ask"] {
        let mut program = asked_with(&world, confirm);
        program.types("billing\n");
        let (status, _, screen) = program.end();
        assert_eq!(status, Some(0), "{screen}");
        assert_eq!(writes(&world), 1);
    }
}

#[test]
fn anything_else_leaves_it_alone() {
    let world = World::three();
    for typed in ["\n", "yes\n", "billin\n", "110\n", "\u{4}"] {
        let mut program = asked(&world);
        program.types(typed);
        let (status, output, screen) = program.end();
        assert_eq!((status, output.as_str()), (Some(1), ""), "{screen}");
        assert!(screen.contains("that is not the object's name"), "{screen}");
        assert_eq!(writes(&world), 0);
    }
}

#[test]
fn what_changed_during_the_question_is_not_done() {
    let world = World::three();
    let mut program = asked(&world);
    world.cluster("production").edit(|state| {
        let guest = state.guests.get_mut(&110).expect("billing");
        guest.config.insert("cores".into(), "7".into());
    });
    program.types("billing\n");
    let (status, output, screen) = program.end();
    assert_eq!((status, output.as_str()), (Some(1), ""), "{screen}");
    let said = "NotAllowedError: what the call addresses has changed since the plan was made";
    assert!(screen.contains(said), "{screen}");
    assert_eq!(writes(&world), 0);
}

#[test]
fn a_wait_says_how_long_on_a_terminal_only() {
    let world = World::three();
    let staging = world.cluster("staging");
    staging.edit(|state| state.hold = true);
    let shell = Shell::new(&world.env());
    let start = r#"{"guest":"stg-web-01","action":"start","wait":25}"#;
    let words = ["call", "guest_power", start];
    let mut program = AtTerminal::start(shell.command(&words));
    program.shows("guest_power: waiting for 1 s, Ctrl-C ends it");
    // It waits as long as it was told to.
    program.shows("guest_power: waiting for 2 s, Ctrl-C ends it");
    staging.edit(|state| state.hold = false);
    let (status, output, screen) = program.end();
    assert_eq!(status, Some(0), "{screen}");
    assert!(output.contains("status: running"), "{output}");
    assert!(screen.ends_with("\r\u{1b}[K"), "the line is gone: {screen}");

    staging.edit(|state| {
        state.guests.get_mut(&100).expect("stg-web-01").status = Status::Stopped;
        state.hold = true;
    });
    world.seen();
    let mut command = shell.command(&words);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("it starts");
    let mut looks = 0;
    until("it waits", || {
        let seen = staging.seen();
        let of_task = seen.iter().filter(|one| one.path.contains("/tasks/UPID:"));
        looks += of_task.count();
        looks >= 3
    });
    staging.edit(|state| state.hold = false);
    let said = leaks::clean(child.wait_with_output().expect("it ends"));
    assert_eq!(String::from_utf8_lossy(&said.stderr), "");
    assert!(said.status.success());
}
