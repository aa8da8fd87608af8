//! Questions to an engine while it serves: answered between two changes, one at a time, each as cheaply as a change of its
//! host. What takes longer is done apart from the engine, with a copy of what the host is served.

use std::sync::Arc;

use sealgate_core::explain::Question;
use sealgate_model::explain::ServedHost;
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::engine::Engine;

/// A question that waits for the engine.
#[derive(Debug)]
pub struct HostQuestion {
    question: Question,
    answer: oneshot::Sender<ServedHost>,
}

impl HostQuestion {
    /// Answers it.
    pub fn answer(self, engine: &Engine) {
        // Whoever asked may be gone.
        let _ = self.answer.send(engine.served_host(&self.question));
    }
}

/// Asks the engine; clones share the turn.
#[derive(Clone, Debug)]
pub struct EngineAsker {
    questions: mpsc::Sender<HostQuestion>,
    /// Whose turn it is: questions take turns until they are answered wholly, so that they take one processor at most.
    turn: Arc<Mutex<()>>,
}

impl EngineAsker {
    /// And where the engine finds the questions.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<HostQuestion>) {
        let (questions, receiver) = mpsc::channel(1);
        let turn = Arc::default();
        (Self { questions, turn }, receiver)
    }

    /// What the host of a question is served, as `answer` makes something of it; none if the engine has ended.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: Question,
        answer: impl FnOnce(Question, ServedHost) -> T + Send + 'static,
    ) -> Option<T> {
        // Who goes away meanwhile keeps the turn until the work is done.
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let (sender, served) = oneshot::channel();
        let asked = HostQuestion {
            question: question.clone(),
            answer: sender,
        };
        self.questions.send(asked).await.ok()?;
        let served = served.await.ok()?;
        let work = move || {
            let answer = answer(question, served);
            drop(turn);
            answer
        };
        tokio::task::spawn_blocking(work).await.ok()
    }
}
