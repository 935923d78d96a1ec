//! What a read of several clusters has heard so far: once enough of them have answered, one that takes
//! no connection is not waited for to the end.

use std::sync::atomic::{AtomicUsize, Ordering};

/// So many answers, of those that were asked, are enough: three in four.
const ENOUGH: (usize, usize) = (3, 4);

/// How many were asked, and how many have answered.
#[derive(Debug)]
pub struct AnswerCount {
    asked: usize,
    answered: AtomicUsize,
    /// Those of the asked that answered when they were asked last.
    usual: usize,
    usual_answered: AtomicUsize,
}

impl AnswerCount {
    /// Of `asked` clusters, of which `usual` answered when they were asked last.
    pub fn new(asked: usize, usual: usize) -> AnswerCount {
        AnswerCount {
            asked,
            answered: AtomicUsize::new(0),
            usual,
            usual_answered: AtomicUsize::new(0),
        }
    }

    /// One has answered; `usual`: it did when it was asked last, too.
    pub fn add(&self, usual: bool) {
        self.answered.fetch_add(1, Ordering::Relaxed);
        if usual {
            self.usual_answered.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether most have answered, or all that did the last time.
    pub fn is_enough(&self) -> bool {
        let (share, of) = ENOUGH;
        let answered = self.answered.load(Ordering::Relaxed);
        let most = answered.saturating_mul(of) >= self.asked.saturating_mul(share);
        let usual = self.usual_answered.load(Ordering::Relaxed);
        most || (self.usual > 0 && usual >= self.usual)
    }
}
