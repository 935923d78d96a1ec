//! An error as a sentence: the cluster first, the cause last, and what may have happened.

use std::fmt;

use super::Error;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::BadArguments(problems) => {
                write!(f, "{}; nothing was sent", problems.join("; "))
            }
            Error::ClusterNotFound { given, .. } => {
                write!(f, "no cluster is named `{given}`; nothing was sent")
            }
            Error::AmbiguousCluster {
                sentence,
                candidates,
                silent,
            } => {
                write!(f, "{sentence}")?;
                if !candidates.is_empty() {
                    write!(f, ": {}", candidates.join(", "))?;
                }
                if !silent.is_empty() {
                    write!(f, "; did not answer in full: {}", silent.join(", "))?;
                }
                write!(f, "; nothing was sent")
            }
            Error::AmbiguousGuest {
                cluster,
                name,
                vmids,
            } => {
                let vmids: Vec<String> = vmids.iter().map(u32::to_string).collect();
                write!(
                    f,
                    "{cluster}: several guests are named `{name}`: {}; nothing was sent",
                    vmids.join(", ")
                )
            }
            Error::NotAllowed { sentence, .. } | Error::Protected { sentence, .. } => {
                f.write_str(sentence)
            }
            Error::Unreachable { cluster, cause, .. } => {
                write!(f, "{cluster}: not reached, nothing was sent: {cause}")
            }
            Error::Interrupted {
                cluster,
                request,
                cause,
            } => write!(f, "{cluster}: `{request}` was cut off: {cause}"),
            Error::Denied {
                cluster,
                message,
                sent,
                ..
            } => {
                let (was, end) = match sent {
                    true => ("was", ""),
                    false => ("would be", "; nothing was sent"),
                };
                write!(f, "{cluster}: the token {was} refused: {message}{end}")
            }
            Error::Refused {
                cluster,
                status,
                message,
                errors,
                ..
            } => {
                write!(f, "{cluster}: Proxmox refused ({status}): {message}")?;
                for (parameter, text) in errors {
                    write!(f, "; `{parameter}`: {text}")?;
                }
                Ok(())
            }
            Error::TaskFailed {
                task,
                exit,
                log_tail,
                ..
            } => {
                write!(f, "task `{task}` failed: {exit}")?;
                if !log_tail.is_empty() {
                    write!(f, "; the end of its log: {}", log_tail.join(" | "))?;
                }
                Ok(())
            }
            Error::NotAnAnswer {
                cluster,
                request,
                cause,
                ..
            } => write!(
                f,
                "{cluster}: `{request}` got no answer of the Proxmox API: {cause}"
            ),
            Error::Midway { accepted, then } => {
                match then.as_ref() {
                    Error::BadArguments(problems) => f.write_str(&problems.join("; "))?,
                    Error::Denied {
                        cluster,
                        message,
                        sent: false,
                        ..
                    } => write!(f, "{cluster}: the token would be refused: {message}")?,
                    Error::Unreachable { cluster, cause, .. } => {
                        write!(f, "{cluster}: not reached: {cause}")?;
                    }
                    Error::NotAllowed { sentence, .. } | Error::Protected { sentence, .. } => {
                        f.write_str(sentence.trim_end_matches("; nothing was sent"))?;
                    }
                    then => write!(f, "{then}")?,
                }
                let accepted = accepted.join("`, `");
                write!(
                    f,
                    "; before that `{accepted}` was accepted and takes effect"
                )
            }
            Error::Searched { of, seen, .. } => write!(f, "{of}; looked for afterwards: {seen}"),
            Error::Cancelled => f.write_str("the call was cancelled"),
        }
    }
}
