/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The order of requests (aoetgt/order.c, here line by line), draining, and a client
 * that sends again what was not answered in time.  Frames are numbered as they
 * arrive.  One client writes 1, and when that is answered 2, to sector 0, each once
 * or twice; another sends whatever else there is.  Anybody may be late: the worker,
 * the disk, which does what it has in any order, and the administrator, who disables
 * the target at any time.
 *
 * What must hold, whatever the order of events:
 *  - nothing starts while something older that it must wait for is not over;
 *  - the disk never goes back behind a write that was answered (stale overwrite);
 *  - each accepted request ends once: answered or dropped; then nothing is left;
 *  - nobody waits for ever (spin: no invalid end state).
 *
 * -DNO_OVERLAP leaves out the rule for requests that overlap, -DNO_READS that for
 * reads which are only counted, -DONLY_STALE the first thing that must hold.
 */
#define FRAMES	5
#define SECTORS	2

mtype = { READ, WRITE, FLUSH, BARRIER };
mtype = { RX, WAITS, READY, FLIGHT, OVER };

typedef request {
	mtype kind;
	mtype state;
	byte first, last;
	byte value;		/* what is written */
	byte waits;
	bool counted;		/* a read without a place among the ranges */
	bool behind_reads;
};

request req[FRAMES];
hidden byte k;			/* scratch, no state */
byte accepted, answered, dropped;
byte taken;			/* by the worker, of those accepted */
byte reads;			/* counted, under way */
byte ranges;			/* places */
chan ready = [FRAMES] of { byte };
byte disk[SECTORS];
byte last_answered;		/* value of the last write that was */
byte clients = 2;
bool dying, over;

#define overlap(i, j)	(req[i].first <= req[j].last && req[j].first <= req[i].last)
#define reads_or_writes(i) (req[i].kind == READ || req[i].kind == WRITE)
#define unfinished(i)	(req[i].state == WAITS || req[i].state == READY || req[i].state == FLIGHT)

/* What the rule is for, in other words than the code's. */
#define must_wait(late, early) \
	((req[late].kind == FLUSH && req[early].kind == WRITE) || \
	 (req[late].kind == BARRIER && reads_or_writes(early)) || \
	 (reads_or_writes(late) && reads_or_writes(early) && overlap(early, late) && \
	  (req[late].kind == WRITE || req[early].kind == WRITE)))

/* aoetgt_place_blocks() and the interval tree */
#ifdef NO_OVERLAP
#define blocks(early, late)	false
#else
#define blocks(early, late) \
	(overlap(early, late) && (req[early].kind == WRITE || \
	 (req[early].kind == READ && (req[late].kind == WRITE || req[late].kind == BARRIER))))
#endif

/* aoetgt_place_reads() */
#ifdef NO_READS
#define minds_reads(i)	false
#else
#define minds_reads(i)	((req[i].kind == WRITE || req[i].kind == BARRIER) && reads > 0)
#endif

inline no_longer_waits(n)
{
	req[n].waits--;
	if
	:: req[n].waits == 0 -> req[n].state = READY; ready!n
	:: else
	fi
}

/* aoetgt_order_enter() */
inline enter(i)
{
	req[i].waits = 0;
	if
	:: req[i].kind == READ && ranges == 0 ->
		req[i].counted = true;
		reads++
	:: else ->
		for (k : 0 .. i - 1) {
			if
			:: unfinished(k) && !req[k].counted && blocks(k, i) -> req[i].waits++
			:: else
			fi
		}
		if
		:: minds_reads(i) -> req[i].waits++; req[i].behind_reads = true
		:: else
		fi
		ranges++
	fi
}

/* aoetgt_order_leave() */
inline leave(i)
{
	if
	:: req[i].counted ->
		reads--;
		if
		:: reads == 0 ->
			for (k : 0 .. FRAMES - 1) {
				if
				:: req[k].behind_reads ->
					req[k].behind_reads = false;
					no_longer_waits(k)
				:: else
				fi
			}
		:: else
		fi
	:: else ->
		ranges--;
		for (k : i + 1 .. FRAMES - 1) {
			if
			:: k < taken && unfinished(k) && !req[k].counted && blocks(i, k) ->
				no_longer_waits(k)
			:: else
			fi
		}
	fi
}

/* aoetgt_request_end(): what it was makes no difference any more. */
inline end_of(i)
{
	req[i].state = OVER;
	req[i].kind = 0;
	req[i].first = 0;
	req[i].last = 0;
	req[i].value = 0;
	req[i].counted = false
}

/* aoetgt_ata_start() */
inline start(i)
{
	if
	:: dying -> leave(i); end_of(i); dropped++
	:: else ->
#ifndef ONLY_STALE
		for (k : 0 .. i - 1) {
			assert(!(unfinished(k) && must_wait(i, k)))
		}
#endif
		req[i].state = FLIGHT
	fi
}

/* aoetgt_rcv(): the frame is taken, or there is no target any more. */
inline arrive(what, from, to, v)
{
	if
	:: !dying && accepted < FRAMES ->
		req[accepted].kind = what;
		req[accepted].first = from;
		req[accepted].last = to;
		req[accepted].value = v;
		req[accepted].state = RX;
		accepted++
	:: else
	fi
}

proctype writer()
{
	byte v, again;

	for (v : 1 .. 2) {
		again = 0;
		do
		:: again < 2 -> d_step { arrive(WRITE, 0, 0, v); again++ }
		:: again > 0 && last_answered == v -> break
		:: dying -> break
		od
	}
	clients--
}

proctype others()
{
	byte n, from;
	mtype what;

	for (n : 0 .. 1) {
		if
		:: what = READ
		:: what = WRITE
		:: what = FLUSH
		:: what = BARRIER
		:: break
		fi
		from = 0;
		if
		:: what == READ || what == WRITE -> from = 1
		:: what == READ
		:: what == FLUSH || what == BARRIER
		fi
		d_step { arrive(what, from, SECTORS - 1, 0) }
	}
	clients--
}

proctype worker()
{
	byte i;

	do
	:: d_step { nempty(ready) -> ready?i; start(i); i = 0 }
	:: d_step { taken < accepted ->
		i = taken;
		taken++;
		if
		:: dying -> end_of(i); dropped++
		:: else ->
			enter(i);
			if
			:: req[i].waits == 0 -> start(i)
			:: else -> req[i].state = WAITS
			fi
		fi;
		i = 0 }
	:: over -> break
	od
}

/* One for each frame, so that they end in any order. */
proctype io(byte i)
{
	if
	:: d_step { req[i].state == FLIGHT ->
		if
		:: req[i].kind == WRITE ->
			for (k : req[i].first .. req[i].last) {
				assert(k != 0 || req[i].value >= last_answered);
				disk[k] = req[i].value
			}
		:: else
		fi }
		d_step {
			leave(i);
			answered++;
			if
			:: req[i].value > last_answered -> last_answered = req[i].value
			:: else
			fi;
			end_of(i)
		}
	:: over
	fi
}

/* aoetgt_disk_stop(): at any time, at the latest when all clients have gone. */
proctype administrator()
{
	if
	:: dying = true
	:: clients == 0 && answered == accepted -> dying = true
	fi
	accepted == answered + dropped;
	assert(reads == 0 && ranges == 0 && empty(ready) && taken == accepted);
	assert(disk[0] >= last_answered);
	over = true
}

init {
	byte n;

	atomic {
		run writer();
		run others();
		run worker();
		for (n : 0 .. FRAMES - 1) {
			run io(n)
		}
		run administrator()
	}
}
