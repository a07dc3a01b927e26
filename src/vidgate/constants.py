"""Numbers that are not settings, each with its unit and its reason."""

from datetime import timedelta

__all__ = [
    "ABSENCES",
    "ABSENCE_AGE",
    "ALARM_SECONDS",
    "BREAKER_FAULTS",
    "BREAKER_MAX_PAUSE",
    "BREAKER_PAUSE",
    "BREAKER_PROBE",
    "BREAKER_RATE",
    "BREAKER_WINDOW",
    "CACHE_REFRESH",
    "CACHE_STALE",
    "CACHE_WINDOW",
    "CALLBACKS_AT_ONCE",
    "CALLBACK_INTERVAL_FACTOR",
    "CALLBACK_LIMIT_BYTES",
    "CALLBACK_MAX_FACTOR",
    "CALLBACK_MEMORY",
    "CALLBACK_READ_TIMEOUT",
    "CALLBACK_SPACING",
    "CALLBACK_TRIES",
    "CLAIM_BATCH",
    "DATABASE_RETRY",
    "DEADLINE_GRACE",
    "DOUBT_DELAY",
    "DOUBT_LIMIT",
    "DOUBT_LIMIT_ALIVE",
    "ESTIMATE_AGE",
    "ESTIMATE_ASKED",
    "ESTIMATE_EVERY",
    "ESTIMATE_KEPT",
    "EXTERNAL_ID_CHARACTERS",
    "FIND_AGAIN",
    "FOLLOW_INTERVAL",
    "FOLLOW_LIMIT",
    "FULL_CHANNEL_RETRY",
    "HEAVY_BYTES",
    "HISTORY_AGE",
    "HISTORY_JOBS",
    "LEARNED_DECREASE",
    "LEARNED_QUIET",
    "LEASE_MARGIN",
    "LIST_BYTES",
    "LOOKS_PER_CHANNEL",
    "MAX_BACKOFF",
    "MOVES_KEPT",
    "MOVES_MEMORY",
    "MOVES_PAUSE",
    "NOTICE_RETRY",
    "NOTICE_TIMEOUT",
    "POLLS_LEAST",
    "POLLS_MOST",
    "POLLS_PER_CHANNEL",
    "POLL_LEASE",
    "POLL_MEMORY",
    "POLL_PROMPT",
    "PROBE_TIMEOUT",
    "QUEUE_WAIT_MOST",
    "READS_AT_ONCE",
    "READS_BATCH",
    "SUBMITS_PER_CHANNEL",
    "SUBMIT_TRIES",
    "UNCLEAR_DEADLINE",
    "UNKNOWN_GRACE",
    "VIEW_AGE",
    "VIEW_BASE_BYTES",
    "VIEW_BYTES",
    "VIEW_MOST_BYTES",
    "VIEW_SHARE",
    "WOKEN_AT_ONCE",
]

BREAKER_WINDOW = timedelta(minutes=1)
"""How far back a process looks at the submits of a channel."""

BREAKER_FAULTS = 5
"""So many faults in that time, and"""

BREAKER_RATE = 0.5
"""such a part of all submits: then the channel gets no work for a while."""

BREAKER_PAUSE = timedelta(seconds=5)
"""Until the first probe; twice as long after each that fails."""

BREAKER_MAX_PAUSE = timedelta(minutes=5)
"""Where that ends: a provider that is back is noticed after so long."""

BREAKER_PROBE = timedelta(minutes=3)
"""After which another probe may be made if nothing came of one: longer than most submits take."""

CACHE_REFRESH = timedelta(seconds=0.5)
"""How often a process re-reads changed accounts, tokens and channels: a change is in force within a
second."""

CACHE_WINDOW = timedelta(seconds=10)
"""How far back each re-read looks: longer than any commit takes after its `updated_at` was set."""

CACHE_STALE = timedelta(seconds=1)
"""Without a successful re-read for this long the cache is not used."""

CALLBACK_INTERVAL_FACTOR = 3
"""How much longer the intervals between asks are where the provider calls back: a call that is lost
then costs a little lag, and one that comes is followed by an ask at once."""

CALLBACK_MAX_FACTOR = 2
"""Likewise for the longest interval."""

CALLBACK_SPACING = timedelta(seconds=1)
"""Between two asks about one job that callbacks bring about: somebody who has learnt the address
cannot make us ask more often."""

CALLBACK_TRIES = 60
"""Rounds, `CALLBACK_SPACING` apart, in which a job that is just being asked about is tried again:
longer than any lease of an ask."""

CALLBACK_MEMORY = 10_000
"""Jobs whose latest callback one process remembers."""

CALLBACKS_AT_ONCE = 64
"""Callbacks being read and checked at once in one process, so at most 64 MiB; beyond it 503."""

CALLBACK_LIMIT_BYTES = 1024 * 1024
"""The longest body of a callback; honest ones are a few KiB."""

CALLBACK_READ_TIMEOUT = timedelta(seconds=10)
"""For such a body to arrive."""

LEASE_MARGIN = timedelta(seconds=15)
"""What a lease has beyond the deadline of the call under it: for the write that follows."""

POLL_LEASE = timedelta(seconds=45)
"""Longer than a poll (20 s), a look into the finished video (5 s) and the write after it."""

DATABASE_RETRY = timedelta(seconds=1)
"""Until an attempt is asked about again where PostgreSQL did not answer in time on the way."""

PROBE_TIMEOUT = timedelta(seconds=5)
"""Total, for reading what a finished video really is from its header, waiting for a turn included;
then it stays unknown."""

SUBMIT_TRIES = 3
"""Sends of one attempt that wrote no byte, or made no job as the provider twice says, before its
channel is given up; and attempts of one output whose outcome stays unknown."""

UNKNOWN_GRACE = timedelta(seconds=30)
"""After a submit's own deadline, where the provider cannot tell what became of it: a late answer of
the process that sent it still counts, then the task fails."""

ESTIMATE_EVERY = timedelta(seconds=1)
"""How often the places in line, and the times that tasks still take, are told anew."""

ESTIMATE_AGE = timedelta(seconds=2)
"""An older estimate is not told."""

ESTIMATE_ASKED = timedelta(seconds=10)
"""How long the estimate of a task is renewed that nobody asks for: polite clients ask sooner."""

ESTIMATE_KEPT = timedelta(seconds=60)
"""How long it is remembered of a task when it was sent: clients are asked to come back sooner."""

HISTORY_AGE = timedelta(seconds=30)
"""How long it is remembered what jobs of each kind took."""

HISTORY_JOBS = 100
"""The latest jobs of a channel and model from which the next ones are estimated."""

EXTERNAL_ID_CHARACTERS = 512
"""The longest `external_task_id` of a client's; Kling states no limit, and real ones are order
numbers."""

FIND_AGAIN = timedelta(seconds=15)
"""Between the two times a provider must say that it has no such job before it is submitted again:
a job that is being made may not be listed yet."""

UNCLEAR_DEADLINE = timedelta(minutes=30)
"""After this a provider that still cannot be asked about an unclear submit is given up on."""

QUEUE_WAIT_MOST = timedelta(days=7)
"""The longest wait for a place that a request may ask for."""

LEARNED_DECREASE = 0.9
"""What is left of the jobs that a provider had when it said that one more is too many: a small cap
stays as it is, since that is what it took, and a large one leaves some room."""

LEARNED_QUIET = timedelta(minutes=1)
"""Without such a refusal for so long one job more is tried."""

NOTICE_RETRY = timedelta(minutes=1)
"""Until it is tried again to tell the operator of a channel."""

NOTICE_TIMEOUT = timedelta(seconds=15)

FULL_CHANNEL_RETRY = timedelta(seconds=5)
"""Until a channel that said it is full or too busy is tried again; doubled each time."""

HEAVY_BYTES = 256 * 1024
"""From this size of its body on, 100 bytes more for each JSON value, a request is read, translated
and stored in a thread: done by the event loop it would hold up everybody else."""

DOUBT_DELAY = timedelta(seconds=10)
"""Until a doubtful failure is asked about again; then as long as it was doubted so far, at most
`MAX_BACKOFF`. Scaled by the pace."""

DOUBT_LIMIT = timedelta(minutes=5)
"""How long a doubtful failure must be told, without anything certain in between, until its task
fails: stores of providers lag behind, and some forget jobs for minutes. Not scaled."""

DOUBT_LIMIT_ALIVE = timedelta(minutes=15)
"""Likewise for a job that was seen running, or is younger than most of its model are when they are
finished: there is more reason to think that it exists."""

MAX_BACKOFF = timedelta(seconds=60)
"""Between two asks of a provider that could not be asked. Scaled by the pace."""

FOLLOW_INTERVAL = timedelta(minutes=10)
"""Between asks about a job that outlived its task's deadline, for the operator's books."""

FOLLOW_LIMIT = timedelta(hours=24)
"""How long after its deadline such a job is followed."""

POLLS_LEAST = 32
"""Polls of one channel under way at once in one process, however badly its provider answers: enough
to notice that it answers again, few enough to hang without a loss."""

POLLS_PER_CHANNEL = 128
"""Likewise at first, before anything is known of the provider."""

POLLS_MOST = 1024
"""Likewise at the most: with answers that take 3 s it carries 5,000 jobs, each asked about every
15 s. So many connections, too, can be held by a provider that hangs."""

POLL_PROMPT = timedelta(seconds=1)
"""An answer within this is prompt, whatever others took."""

POLL_MEMORY = timedelta(minutes=1)
"""How long trouble with a provider makes us careful, and how far back its quickest answer is
remembered."""

LOOKS_PER_CHANNEL = 64
"""Looks into finished videos of one channel under way at once in one process, so that one whose
result host is slow leaves connections to it for others."""

SUBMITS_PER_CHANNEL = 32
"""Background submits of one channel under way at once in one process."""

MOVES_KEPT = 20_000
"""Waiting attempts of which a process remembers where they could go, some 150 bytes each; with more
it begins anew."""

MOVES_MEMORY = timedelta(minutes=2)
"""How long that is remembered while the channels stay the same: prices and fields change too."""

MOVES_PAUSE = timedelta(seconds=1)
"""Between two looks at what waits at a channel, where nothing of it could go anywhere."""

CLAIM_BATCH = 200
"""Attempts leased at once: enough that claiming costs little, few enough to work on at once. The
channels where something is due have equal shares of it."""

DEADLINE_GRACE = timedelta(minutes=10)
"""After a job's deadline, while its provider cannot be asked: an outage of ours fails no task."""

LIST_BYTES = 4 * 1024 * 1024
"""The longest part of a list that is read or answered at once; a part has at least one entry."""

MAX_VIDEOS = 8
"""The most videos of one task."""

ABSENCE_AGE = timedelta(seconds=1)
"""How long that there is no such task is answered from memory."""

ABSENCES = 10_000
"""Unknown ids kept in memory: 4 MB. One account has at most its share of them, as of states."""

VIEW_AGE = timedelta(seconds=2)
"""How long an unfinished task's state is answered from memory."""

VIEW_BYTES = 64 * 1024 * 1024
"""States kept in memory, with what the dialects made of them: some 13,000 usual ones."""

VIEW_SHARE = 4
"""One account has at most this part of it."""

VIEW_MOST_BYTES = 64 * 1024
"""A larger state is read anew each time: it would push out many others."""

VIEW_BASE_BYTES = 3 * 1024
"""What a state takes beside its JSON, as objects: measured."""

WEBHOOK_SCHEDULE = tuple(
    timedelta(seconds=seconds)
    for seconds in (0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
)
"""Before each try to deliver a webhook, as Standard Webhooks has it; about 76 hours in all."""

WEBHOOK_JITTER = 0.1
"""The part of such a wait by which it is made longer at the most."""

WEBHOOK_TIMEOUT = timedelta(seconds=15)
"""The total deadline of one try."""

WEBHOOKS_PER_HOST = 4
"""Tries to one host under way at once in one process."""

WEBHOOKS_AT_ONCE = 256
"""Tries under way at once in one process."""

WEBHOOK_FAILURES = 5
"""Failures in a row after which a host gets one try at a time, with growing pauses."""

WEBHOOK_PAUSE = timedelta(seconds=5)
"""The first such pause; each next one is twice as long."""

WEBHOOK_MAX_PAUSE = timedelta(minutes=5)

WEBHOOK_GIVE_UP = timedelta(days=5)
"""An endpoint that only failed for so long is disabled."""

WEBHOOK_KEEP = timedelta(days=30)
"""How long finished deliveries and their tries are kept."""

WEBHOOK_BODY_BYTES = 20_000
"""From here on the data of an event is the id of the task alone."""

WEBHOOK_ANSWER_BYTES = 1024
"""What is kept of a receiver's answer."""

WEBHOOK_OVERLAP = timedelta(hours=24)
"""How long an old secret signs beside the new one, unless it is to end at once."""

WEBHOOK_ENDPOINTS = 50
"""The most endpoints of one account."""

WAIT_MOST = timedelta(seconds=60)
"""The longest wait of one request: what proxies between us and a client take for dead is longer."""

WAITERS_RECHECK = timedelta(seconds=2)
"""Between two looks at the tasks of all who wait, so that a lost hint costs no more than that."""

WAITERS_LOOK = timedelta(seconds=0.5)
"""Between two looks whether it is time for one; hints come in between."""

WAITERS_SPACING = timedelta(seconds=0.02)
"""Between two looks at what hints told of: many hints are one question to the database."""

WAITERS_BATCH = 200
"""Changed tasks read at once: about 20 ms of work, which everybody else waits for."""

WOKEN_AT_ONCE = 50
"""Waiters that are answered before others have a turn: about 10 ms of work."""

ALARM_SECONDS = 0.05
"""How much later than asked for a wait may end."""

WAITERS_PER_TOKEN = 1000
"""Waits and streams of one token at once in one process, so that it cannot fill the memory."""

READS_BATCH = 200
"""Tasks read by one statement for as many who each ask for one."""

READS_AT_ONCE = 2
"""Such statements under way in one process: a connection that hangs delays only half of them, and
the rest of the pool is for others."""

FEED_MOST = 1000
"""Changed tasks that are kept, as names, for one listener; with more it has to come again."""

STREAM_COMMENT = timedelta(seconds=15)
"""After so long without an event a stream has a comment, so that nobody takes it for dead."""

STREAM_PATIENCE = timedelta(seconds=10)
"""A listener that does not take in what was sent for so long is dropped."""

REFUSAL_TOLD = timedelta(seconds=5)
"""After a refused submit until webhooks tell of it. A client that still waits gets the error itself
and no id; then they are taken back."""
