//! The alarms of the hub: what watches, tells and is asked.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use tokio::{
    sync::{
        broadcast::{self, error::RecvError},
        watch,
    },
    time::{Instant, MissedTickBehavior},
};

use super::{
    Alarm, AlarmId, Channels, Error, Occasion, RuleId,
    board::{Board, Change, Now, Pending},
    directory::Directory,
    engine::{Moment, State},
    rows::Rows,
    rule::Rule,
    store::Store,
    watch::{Sources, Watch},
};
use crate::{
    clock::Clock,
    db::{self, Db},
    events::{self, Events},
    outcome::chain,
    parts::Trouble,
    repeats,
    tasks::Tasks,
    temperatures::Reading,
};

/// How often time is looked at.
const TICK: Duration = Duration::from_secs(1);
/// How often the disk is looked at, and what is pending is kept.
const SELDOM: Duration = Duration::from_secs(5);
/// A pending cause that is kept already is kept again after this: it tells when the cause was seen last.
const KEEP_PENDING: SignedDuration = SignedDuration::from_secs(60);
/// Changes a watcher may be behind.
const BACKLOG: usize = 256;

/// What alarms need.
#[expect(missing_docs, reason = "the types say it")]
pub struct Deps {
    pub db: Db,
    pub clock: Clock,
    pub events: Events,
    pub tasks: Tasks,
    /// What is watched.
    pub sources: Sources,
    /// Who tells people.
    pub channels: Channels,
}

/// The alarms of the hub; clones share them.
#[derive(Clone)]
pub struct Alarms(Arc<Inner>);

struct Inner {
    board: Mutex<Board>,
    rules: Directory,
    store: Store,
    rows: Rows,
    watch: Watch,
    clock: Clock,
    events: Events,
    channels: Channels,
    changes: broadcast::Sender<Alarm>,
    started: Instant,
    /// Whether rules and what was raised are known.
    is_watching: AtomicBool,
}

impl Alarms {
    /// Reads the rules and begins to watch. What was raised before goes on. While the database is away nothing is watched
    /// for: whether an alarm is new stands there.
    pub async fn start(deps: Deps) -> Self {
        let store = Store::new(deps.db.clone());
        let rules = Directory::load(store.clone()).await;
        let rows = Rows::default();
        let alarms = Self(Arc::new(Inner {
            board: Mutex::new(Board::new(Vec::new(), Vec::new(), TimeZone::system())),
            rules: rules.clone(),
            store: store.clone(),
            rows: rows.clone(),
            watch: Watch::new(deps.sources),
            clock: deps.clock,
            events: deps.events,
            channels: deps.channels,
            changes: broadcast::Sender::new(BACKLOG),
            started: Instant::now(),
            is_watching: AtomicBool::new(false),
        }));
        let known = alarms.take_up().await.inspect_err(|error| {
            tracing::warn!(cause = chain(error), "alarms cannot be read yet, and are not watched for");
        });
        deps.tasks.spawn_until_stop(rules.follow());
        deps.tasks.spawn(rows.run(store, deps.tasks.stopping()));
        deps.tasks.spawn_until_stop(alarms.clone().run(known.ok()));
        alarms
    }

    /// Goes on where the rows are: what is raised and what is pending. The latter is given back.
    async fn take_up(&self) -> Result<BTreeMap<RuleId, Pending>, Error> {
        self.0.rules.reload().await?;
        let mut raised: Vec<Alarm> = Vec::new();
        for alarm in self.0.store.raised().await? {
            // Of a hub that was killed before it could write that the older one is over.
            if let Some(older) = raised.iter_mut().find(|older| older.rule == alarm.rule) {
                let over = std::mem::replace(older, alarm);
                self.0.rows.alarm(&Alarm { cleared_at: Some(older.raised_at), ..over });
            } else {
                raised.push(alarm);
            }
        }
        let pending = self.0.store.pending().await?;
        // A gauge that is not set is not told.
        metrics::gauge!("larder_alarms_raised").set(f64::from(u32::try_from(raised.len()).unwrap_or(u32::MAX)));
        *self.board() = Board::new(raised, pending.clone(), TimeZone::system());
        self.0.is_watching.store(true, Ordering::Relaxed);
        self.apply_rules();
        Ok(pending.into_iter().collect())
    }

    /// What keeps it from watching.
    pub fn trouble(&self) -> Option<Trouble> {
        let detail = "not watched for until the database is there, which has the rules";
        (!self.0.is_watching.load(Ordering::Relaxed)).then(|| Trouble::new("database_away", detail))
    }

    /// Raised alarms, the newest first.
    pub fn raised(&self) -> Vec<Alarm> {
        self.board().raised()
    }

    /// Each change of any alarm from now on. A watcher that lags misses the oldest.
    pub fn watch(&self) -> broadcast::Receiver<Alarm> {
        self.0.changes.subscribe()
    }

    /// All rules by name.
    pub fn rules(&self) -> Vec<Arc<Rule>> {
        self.0.rules.all()
    }

    /// The rule with that id or name.
    pub fn find_rule(&self, id_or_name: &str) -> Option<Arc<Rule>> {
        self.0.rules.find(id_or_name)
    }

    /// Counts the changes of rules; marked changed at each.
    pub fn rule_changes(&self) -> watch::Receiver<u64> {
        self.0.rules.changes()
    }

    pub(super) fn state(&self, rule: RuleId) -> State {
        self.board().state(rule)
    }

    /// Notes that somebody has seen an alarm, by its id or its rule's name. It need not be in a row yet.
    pub(super) async fn acknowledge(&self, which: &str, by: &str) -> Result<Alarm, Error> {
        let mut found = None;
        self.with_board(|board, now, _| {
            let (alarm, change) = board.acknowledge(which, by, now).unzip();
            found = alarm;
            change.flatten()
        });
        if let Some(alarm) = found {
            return Ok(alarm);
        }
        if self.find_rule(which).is_some() {
            return Err(Error::NotRaised(which.to_owned()));
        }
        let Ok(id) = which.parse() else { return Err(Error::NoSuchAlarm(which.to_owned())) };
        match self.0.store.alarm(AlarmId(id)).await? {
            Some(_) => Err(Error::Over(which.to_owned())),
            None => Err(Error::NoSuchAlarm(which.to_owned())),
        }
    }

    pub(super) fn store(&self) -> &Store {
        &self.0.store
    }

    /// Writes what waits, so that rows tell all.
    pub(super) async fn flush(&self) -> Result<(), Error> {
        Ok(self.0.rows.write(&self.0.store).await?)
    }

    /// Reads the rules again after a change made here, and goes by them.
    pub(super) async fn reload(&self) -> Result<(), Error> {
        self.0.rules.reload().await?;
        self.apply_rules();
        Ok(())
    }

    async fn run(self, known: Option<BTreeMap<RuleId, Pending>>) {
        let mut kept = match known {
            Some(known) => known,
            None => {
                let known = db::until_read("alarms", || self.take_up()).await;
                tracing::info!("alarms are watched for again");
                known
            }
        };
        let mut readings = self.0.watch.temperatures().watch();
        let mut rules = self.0.rules.changes();
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut seldom = tokio::time::interval(SELDOM);
        seldom.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                changed = rules.changed() => match changed {
                    Ok(()) => self.apply_rules(),
                    Err(_) => return,
                },
                reading = readings.recv() => match reading {
                    Ok(reading) => self.hear(reading),
                    Err(RecvError::Lagged(missed)) => self.catch_up(missed),
                    Err(RecvError::Closed) => return,
                },
                _ = ticks.tick() => self.tick(),
                _ = seldom.tick() => self.look_seldom(&mut kept),
            }
        }
    }

    fn apply_rules(&self) {
        self.with_board(|board, now, watch| board.apply(&self.rules(), now, watch));
    }

    fn hear(&self, reading: Reading) {
        let Some(value) = reading.value else { return };
        self.with_board(|board, now, watch| board.hear(reading.sensor, value, now, watch));
    }

    /// Some readings were missed; the newest of every sensor tells enough.
    fn catch_up(&self, missed: u64) {
        repeats::say!(warn, "", { readings.missed = missed }, "readings came faster than alarms could look at them");
        for sensor in self.0.watch.temperatures().all() {
            if let Some(latest) = self.0.watch.temperatures().latest(sensor.id) {
                self.hear(latest);
            }
        }
    }

    fn tick(&self) {
        self.with_board(|board, now, watch| board.tick(now, watch));
    }

    fn look_seldom(&self, kept: &mut BTreeMap<RuleId, Pending>) {
        if self.board().watches_disk() {
            self.0.watch.look_at_disk();
        }
        let now = self.now();
        let pending = self.board().pending(now);
        for rule in kept.keys().filter(|rule| !pending.contains_key(rule)) {
            self.0.rows.pending(*rule, None);
        }
        kept.retain(|rule, _| pending.contains_key(rule));
        for (rule, pending) in pending {
            let is_known = kept.get(&rule).is_some_and(|known| {
                let apart = |one: Timestamp, other: Timestamp| one.duration_since(other).abs();
                // The wall clock is slewed: times are never quite the same.
                apart(pending.since, known.since) < SignedDuration::from_secs(1)
                    && apart(pending.seen_at, known.seen_at) < KEEP_PENDING
            });
            if !is_known {
                self.0.rows.pending(rule, Some(pending));
                kept.insert(rule, pending);
            }
        }
    }

    /// Works on the board and tells everyone of what changed, in that order for all: nothing here waits.
    fn with_board<C: IntoIterator<Item = Change>>(&self, work: impl FnOnce(&mut Board, Now, &Watch) -> C) {
        let mut board = self.board();
        let changes = work(&mut board, self.now(), &self.0.watch);
        for Change { alarm, occasion, channels } in changes {
            self.0.rows.alarm(&alarm);
            if let Some(occasion) = occasion {
                self.log(&alarm, occasion);
                self.0.channels.tell(&alarm, occasion, &channels);
                let raised = u32::try_from(board.raised().len()).unwrap_or(u32::MAX);
                metrics::gauge!("larder_alarms_raised").set(f64::from(raised));
            }
            // An error means that nobody watches.
            let _ = self.0.changes.send(alarm);
        }
    }

    fn log(&self, alarm: &Alarm, occasion: Occasion) {
        metrics::counter!("larder_alarm_transitions_total", "occasion" => occasion.name()).increment(1);
        tracing::warn!(
            alarm.id = %alarm.id,
            alarm.rule = alarm.rule_name,
            alarm.occasion = occasion.name(),
            alarm.message,
            "an alarm"
        );
        let kind = match occasion {
            Occasion::Raised => events::Kind::AlarmRaised,
            Occasion::Cleared => events::Kind::AlarmCleared,
            Occasion::Repeated => return,
        };
        self.0.events.tell(kind, alarm.camera, format!("{}: {}", alarm.rule_name, alarm.message));
    }

    fn now(&self) -> Now {
        let instant = Instant::now();
        let passed = instant.duration_since(self.0.started);
        let moment = Moment(SignedDuration::try_from(passed).unwrap_or(SignedDuration::MAX));
        Now { moment, wall: self.0.clock.at(instant) }
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.0.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
