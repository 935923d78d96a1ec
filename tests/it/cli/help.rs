//! `proxmox-mcp help`: the topics, what of them holds some words, and how they look at a terminal.

use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};

use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};

use crate::cli::binary::PROGRAM;
use crate::cli::commands::bare;
use crate::leaks;

/// What stands on a terminal that is the standard output, with these variables.
fn on_screen(words: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
    let ours = openpt(flags).expect("a terminal");
    unlockpt(&ours).expect("it opens");
    let theirs = ioctl_tiocgptpeer(&ours, flags).expect("the other side");
    let mut command = Command::new(PROGRAM);
    command.args(words).env_clear();
    command.envs(variables.iter().copied());
    command.stdin(Stdio::null()).stdout(theirs);
    command.stderr(Stdio::piped());
    let child = command.spawn().expect("it starts");
    // It holds their side, which would never look closed.
    drop(command);
    let (mut screen, mut bytes) = (Vec::new(), [0; 4096]);
    let mut terminal = File::from(ours);
    // The end of the other side is an error here.
    while let Ok(count @ 1..) = terminal.read(&mut bytes) {
        screen.extend_from_slice(&bytes[..count]);
    }
    let output = leaks::clean(child.wait_with_output().expect("it ends"));
    let screen = String::from_utf8(screen).expect("text");
    leaks::no_secret(&screen);
    (output.status.code(), screen.replace("\r\n", "\n"))
}

#[test]
fn without_a_topic_it_is_the_help_and_the_topics() {
    let help = bare(&["help"]).well();
    let (before, topics) = help.split_once("\nTopics").expect("the topics");
    assert_eq!(before, bare(&["--help"]).well());
    assert!(topics.contains("\n  errors "), "{topics}");
}

#[test]
fn an_unknown_topic_is_answered_by_those_that_there_are() {
    let parts = [
        "there is no topic `nothing`",
        "tools, configuration,",
        "limits",
    ];
    bare(&["help", "nothing"]).refused(2, &parts);
}

/// Words find rows, items and paragraphs, each below its heading, whatever the case of letters.
#[test]
fn words_find_what_holds_them() {
    const MESSAGES: &str = "## Messages\n\n| what it says | what helps |\n|---|---|\n";
    let row = "| `no write is begun with … s left` | The call had spent its time before it came to write. Repeat it. |\n";
    let found = bare(&["help", "errors", "NO WRITE is begun"]).well();
    assert_eq!(found, format!("{MESSAGES}{row}"));
    // A message is found as it was said, and by some of its words.
    let said = "no write is begun with 7 s left";
    for words in [&[said][..], &["begun", "write"]] {
        let found = bare(&[&["help", "errors"], words].concat()).well();
        assert_eq!(found, format!("{MESSAGES}{row}"));
    }
    let found = bare(&["help", "safety", "fstrim"]).well();
    let item = "- whatever only reads; start and resume;";
    assert!(
        found.starts_with(&format!("## Protection\n\n{item}")),
        "{found}"
    );
    assert_eq!(found.lines().count(), 3, "{found}");
    // What is under a heading that says it, with its code; and a part of that.
    let whole = bare(&["help", "clients", "ssh"]).well();
    assert!(whole.contains("\n```sh\nproxmox-mcp client claude-desktop --ssh"));
    let paragraph = bare(&["help", "clients", "ssh", "password"]).well();
    assert_eq!(paragraph.lines().count(), 3, "{paragraph}");
    assert!(whole.contains(paragraph.lines().last().expect("a paragraph")));
}

#[test]
fn what_is_nowhere_is_said_to_be() {
    let parts = ["nothing in `help errors` holds `gibberish`"];
    bare(&["help", "errors", "gibberish"]).refused(1, &parts);
    // All words must be there.
    bare(&["help", "errors", "quorum", "gibberish"]).refused(1, &[]);
}

/// At a terminal lines fit it, in a pager and without one; none of the text is lost.
#[test]
fn at_a_terminal_it_is_laid_out_and_never_lost() {
    let piped = bare(&["help", "configuration"]).well();
    let words = |text: &str| -> String {
        let lines = text.lines().filter(|line| !line.starts_with("```"));
        let lines = lines.filter(|line| !line.starts_with("|---"));
        let kept = lines
            .map(|line| line.replace("\\|", ""))
            .collect::<String>();
        let is_kept = |c: &char| !c.is_whitespace() && !matches!(c, '|' | '#');
        kept.chars().filter(is_kept).collect()
    };
    for pager in ["cat", "", "/nowhere/pager -x", "false"] {
        let variables = [("PAGER", pager), ("NO_COLOR", "1")];
        let (status, screen) = on_screen(&["help", "configuration"], &variables);
        assert_eq!(status, Some(0), "{pager}");
        assert_eq!(words(&screen), words(&piped), "{pager}");
        assert!(!screen.contains('\x1b'), "{pager}");
        let wide = screen.lines().find(|line| line.chars().count() > 80);
        // What is one word, or code, is not broken.
        let wide = wide.filter(|line| line.trim().contains(' ') && !line.starts_with("    "));
        assert_eq!(wide, None, "{pager}");
    }
}

#[test]
fn headings_are_strong_where_colours_may_be() {
    let (_, screen) = on_screen(&["help", "search"], &[("PAGER", "cat")]);
    assert!(screen.contains("\n\x1b[1mTerms\x1b[0m\n"), "{screen}");
}

/// A pager is told how to behave where nobody else has, and never what may be a secret.
#[test]
fn a_pager_gets_what_it_needs_and_no_secret() {
    let given = [("PAGER", "env"), ("PROXMOX_TOKEN_SECRET", "hush-hush")];
    let (status, screen) = on_screen(&["help", "search"], &given);
    assert_eq!(status, Some(0));
    assert!(screen.contains("LESS=FRXK\n"), "{screen}");
    assert!(!screen.contains("hush-hush"), "{screen}");
    let given = [("PAGER", "env"), ("LESS", "i")];
    let (_, screen) = on_screen(&["help", "search"], &given);
    assert!(screen.contains("LESS=i\n"), "{screen}");
}
