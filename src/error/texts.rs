//! The texts of an error, which whoever shows it has to look through.

use super::Error;

impl Error {
    /// The same with each of its texts as `by` gives it back.
    #[must_use]
    pub fn with_texts(self, by: &dyn Fn(String) -> String) -> Error {
        let all = |texts: Vec<String>| texts.into_iter().map(by).collect();
        match self {
            Error::BadArguments(problems) => Error::BadArguments(all(problems)),
            Error::ClusterNotFound { given, known } => Error::ClusterNotFound {
                given: by(given),
                known,
            },
            Error::AmbiguousCluster {
                sentence,
                candidates,
                silent,
            } => Error::AmbiguousCluster {
                sentence: by(sentence),
                candidates: all(candidates),
                silent,
            },
            Error::AmbiguousGuest {
                cluster,
                name,
                vmids,
            } => Error::AmbiguousGuest {
                cluster,
                name: by(name),
                vmids,
            },
            Error::NotAllowed { sentence, hint } => Error::NotAllowed {
                sentence: by(sentence),
                hint: hint.map(by),
            },
            Error::Protected { sentence, hint } => Error::Protected {
                sentence: by(sentence),
                hint: hint.map(by),
            },
            Error::Unreachable {
                cluster,
                cause,
                hint,
            } => Error::Unreachable {
                cluster,
                cause: by(cause),
                hint: hint.map(by),
            },
            Error::Interrupted {
                cluster,
                request,
                cause,
            } => Error::Interrupted {
                cluster,
                request: by(request),
                cause: by(cause),
            },
            Error::Denied {
                cluster,
                message,
                hint,
                sent,
            } => Error::Denied {
                cluster,
                message: by(message),
                hint: hint.map(by),
                sent,
            },
            Error::Refused {
                cluster,
                status,
                message,
                errors,
                hint,
            } => Error::Refused {
                cluster,
                status,
                message: by(message),
                errors: errors
                    .into_iter()
                    .map(|(name, text)| (by(name), by(text)))
                    .collect(),
                hint: hint.map(by),
            },
            Error::TaskFailed {
                task,
                exit,
                log_tail,
                hint,
            } => Error::TaskFailed {
                task: by(task),
                exit: by(exit),
                log_tail: all(log_tail),
                hint: hint.map(by),
            },
            Error::NotAnAnswer {
                cluster,
                request,
                wrote,
                cause,
            } => Error::NotAnAnswer {
                cluster,
                request: by(request),
                wrote,
                cause: by(cause),
            },
            Error::Searched { of, seen, hint } => Error::Searched {
                of: Box::new(of.with_texts(by)),
                seen: by(seen),
                hint: hint.map(by),
            },
            Error::Midway { accepted, then } => Error::Midway {
                accepted: all(accepted),
                then: Box::new(then.with_texts(by)),
            },
            Error::Cancelled => Error::Cancelled,
        }
    }
}
