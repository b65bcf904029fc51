/* The commit protocol of a data segment: batch, eviction mark, commit, retirement and reuse of pages,
 * recovery, a second kill inside recovery; one writer, one reader, and the writer's store buffer
 * between its stores and the memory that the reader sees.
 *
 * One directory that holds one record: each batch evicts the record before it, and writes the new one
 * to another page. Two pages, no quarantine: the page that a commit frees is the next one written to.
 * That is the hardest case there is: a slow reader always finds its page reused.
 *
 *   -DWEAK        stores leave the buffer in any order that release stores and fences allow (a CPU
 *                 weaker than x86); without it first in, first out (x86-TSO)
 *   -DKILLS=n     how often the writer is killed, anywhere, recovery included
 *   -DBATCHES=n   how many batches are begun
 *   -DBUFFER=n    stores that the buffer holds, 4 at most
 *   -DFAULT_x     a seeded fault; check_model.py lists them, and what each must show
 *
 * A kill stops the instructions of the writer; what it has stored still drains, in the order that the
 * CPU chooses, while the reader goes on. The successor begins when all has drained: it runs after
 * the kernel has seen the end of the one before.
 *
 * With WEAK only what must be ordered is: a page's stamp before its new contents (fence), the last
 * generation word before the copy that is filled next (fence), all of a commit before its generation
 * word (release), and that before the answer to PING (release). The library orders more: there every
 * store is a release store. Who makes some of them plain finds here which fences must take their place.
 */
#ifndef KILLS
#define KILLS 2
#endif
#ifndef BATCHES
#define BATCHES 4
#endif
#ifndef BUFFER
#define BUFFER 4
#endif

/* --- shared memory, a word an index ------------------------------------------------------------ */
#define GEN 0
#ifdef FAULT_ONE_COPY
#define HEAD(g) 1
#define VALUE(g) 2
#else
#define HEAD(g) (1 + 2 * ((g) % 2))
#define VALUE(g) (2 + 2 * ((g) % 2))
#endif
#define UNDO_COUNT 5
#define UNDO_TARGET 6
#define UNDO_AT(n) (7 + 2 * (n))
#define UNDO_OLD(n) (8 + 2 * (n))
#define INDEX 17          /* the key's entry: page + 1, 0 = no such key */
#define STAMP(p) (18 + (p))
#define OWNER(p) (20 + (p))
#define DATA_A(p) (22 + (p))
#define DATA_B(p) (24 + (p))
#define DEATH(p) (26 + (p))
#define PONG 28           /* the generation that the last answer covered */
#define WORDS 29

#define REF(stamp, p) ((stamp) * 2 + (p))
#define REF_STAMP(ref) ((ref) / 2)
#define REF_PAGE(ref) ((ref) % 2)

byte mem[WORDS];

/* --- the store buffer -------------------------------------------------------------------------- */
#define RELAXED 0
#define RELEASE 1
#define FENCE 2
#define SHUT 255

byte buf_at[BUFFER];
byte buf_value[BUFFER];
byte buf_kind[BUFFER];
byte buf_n = 0;

/* What was ever made true: by generation, the record's value. For assertions alone. */
byte truth[3 * BATCHES + 2];
byte next_value = 1;
byte kills = KILLS;
bool done = false;

inline push(at, value, kind) {
  atomic {
    buf_n < BUFFER;
    buf_at[buf_n] = at;
    buf_value[buf_n] = value;
    buf_kind[buf_n] = kind;
    buf_n++
  }
}

/* A store, after which the kill may come. */
inline put(at, value, kind) {
  push(at, value, kind);
  if
  :: kills > 0 -> kills--; goto died
  :: true
  fi
}

inline fence() {
#ifdef WEAK
  push(SHUT, 0, FENCE)
#else
  skip
#endif
}

/* Takes entry `i` out, into the memory. */
inline drain(i) {
  d_step {
    if
    :: buf_kind[i] != FENCE -> mem[buf_at[i]] = buf_value[i]
    :: else
    fi;
    d_j = i;
    do
    :: d_j + 1 < buf_n ->
      buf_at[d_j] = buf_at[d_j + 1];
      buf_value[d_j] = buf_value[d_j + 1];
      buf_kind[d_j] = buf_kind[d_j + 1];
      d_j++
    :: else -> break
    od;
    buf_n--;
    buf_at[buf_n] = 0;
    buf_value[buf_n] = 0;
    buf_kind[buf_n] = 0;
    d_j = 0
  }
}

/* May entry i leave before those in front of it? Not if it is a release or a fence, nor past a fence,
 * nor past a store to the same word. */
#define PASSES(i, j) (buf_kind[i] == RELAXED && buf_kind[j] != FENCE && buf_at[i] != buf_at[j])

proctype Buffer() {
  byte d_j;
end:
  do
  :: buf_n > 0 -> atomic { buf_n > 0 -> drain(0) }
#ifdef WEAK
  :: buf_n > 1 && PASSES(1, 0) ->
    atomic { if :: buf_n > 1 && PASSES(1, 0) -> drain(1) :: else fi }
  :: buf_n > 2 && PASSES(2, 0) && PASSES(2, 1) ->
    atomic { if :: buf_n > 2 && PASSES(2, 0) && PASSES(2, 1) -> drain(2) :: else fi }
  :: buf_n > 3 && PASSES(3, 0) && PASSES(3, 1) && PASSES(3, 2) ->
    atomic { if :: buf_n > 3 && PASSES(3, 0) && PASSES(3, 1) && PASSES(3, 2) -> drain(3) :: else fi }
#endif
  od
}

/* --- the writer -------------------------------------------------------------------------------- */

/* Transaction::set: the old value is logged, then the word is stored. */
inline set(at, old, value) {
#ifdef FAULT_WORD_BEFORE_LOG
  put(at, value, RELAXED);
#endif
#ifdef FAULT_COUNT_BEFORE_PAIR
  put(UNDO_COUNT, logged + 1, RELAXED);
#endif
  put(UNDO_AT(logged), at, RELAXED);
  put(UNDO_OLD(logged), old, RELAXED);
  logged++;
#ifndef FAULT_COUNT_BEFORE_PAIR
  put(UNDO_COUNT, logged, RELAXED);
#endif
#ifndef FAULT_WORD_BEFORE_LOG
  put(at, value, RELAXED);
#endif
}

inline commit(ref, value) {
#ifdef FAULT_END_BEFORE_GENERATION
  logged = 0;
  put(UNDO_COUNT, 0, RELAXED);
#endif
#ifdef FAULT_GENERATION_BEFORE_COPY
  truth[gen + 1] = value;
  put(GEN, gen + 1, RELEASE);
#endif
#ifndef FAULT_NO_FENCE_BEFORE_COPY
  fence();  /* the copy that is filled now is the last one's while its generation cannot be seen yet */
#endif
  put(HEAD(gen + 1), ref, RELAXED);
  put(VALUE(gen + 1), value, RELAXED);
#ifndef FAULT_GENERATION_BEFORE_COPY
  truth[gen + 1] = value;
#ifdef FAULT_GENERATION_RELAXED
  put(GEN, gen + 1, RELAXED);
#else
  put(GEN, gen + 1, RELEASE);
#endif
#endif
  gen++;
  logged = 0;
  put(UNDO_COUNT, 0, RELAXED);
}

/* Directory::claim_page: the stamp first; it is never put back. */
inline claim(p) {
#ifndef FAULT_NO_STAMP
#ifdef FAULT_STAMP_UNDONE
  set(STAMP(p), stamp[p], stamp[p] + 1);
#else
  put(STAMP(p), stamp[p] + 1, RELAXED);
#endif
  stamp[p]++;
#ifndef FAULT_NO_FENCE_AFTER_STAMP
  fence();
#endif
#endif
  set(OWNER(p), 0, 1);
}

inline begin() {
  put(UNDO_TARGET, gen + 1, RELAXED)
}

proctype Writer() {
  byte gen, head, fresh, old, logged, n, value;
  byte stamp[2];

start:
  /* Recovery: roll_back(). Nothing is in the buffer: memory is what there is. */
  n = mem[UNDO_COUNT];
  if
  :: n > 0 && mem[GEN] != mem[UNDO_TARGET] ->
#ifdef FAULT_ZERO_FIRST
    put(UNDO_COUNT, 0, RELAXED);
#endif
#ifdef FAULT_UNDO_FORWARD
    logged = n;
    n = 0;
    do
    :: n < logged -> put(mem[UNDO_AT(n)], mem[UNDO_OLD(n)], RELAXED); n++
    :: else -> break
    od;
#else
    do
    :: n > 0 -> n--; put(mem[UNDO_AT(n)], mem[UNDO_OLD(n)], RELAXED)
    :: else -> break
    od;
#endif
    put(UNDO_COUNT, 0, RELAXED)
  :: n > 0 && mem[GEN] == mem[UNDO_TARGET] -> put(UNDO_COUNT, 0, RELAXED)
  :: else
  fi;
  n = 0;
  logged = 0;
  buf_n == 0;  /* what follows looks at the memory as a whole */
  atomic {
    gen = mem[GEN];
    head = mem[HEAD(gen)];
    stamp[0] = mem[STAMP(0)];
    stamp[1] = mem[STAMP(1)];
    /* The segment is whole: what was committed last, and nothing else. */
    assert(mem[VALUE(gen)] == truth[gen]);
    if
    :: head != 0 ->
      old = REF_PAGE(head);
      assert(mem[STAMP(old)] == REF_STAMP(head));
      assert(mem[DATA_A(old)] == truth[gen] && mem[DATA_B(old)] == truth[gen]);
      assert(mem[DEATH(old)] == 0 && mem[OWNER(old)] == 1 && mem[INDEX] == old + 1);
      /* A page that nothing refers to is free, or was emptied and not given up yet. */
      assert(mem[OWNER(1 - old)] == 0 || mem[DEATH(1 - old)] != 0)
    :: else -> assert(mem[INDEX] == 0 && mem[OWNER(0)] == 0 && mem[OWNER(1)] == 0)
    fi
  }
  /* Pages that were emptied before the kill. */
  if
  :: head != 0 && mem[OWNER(1 - REF_PAGE(head))] == 1 -> goto retire
  :: else
  fi;

batch:
  if
  :: next_value > BATCHES -> goto finished
  :: else
  fi;
  value = next_value;
  next_value++;
  old = REF_PAGE(head);
#ifdef FAULT_REUSE_IN_BATCH
  fresh = (head == 0 -> 0 : old);
#else
  fresh = (head == 0 -> 0 : 1 - old);
#endif
  begin();
#ifdef FAULT_REUSE_IN_BATCH
  if
  :: head != 0 -> set(OWNER(old), 1, 0)
  :: else
  fi;
#endif
#ifdef FAULT_STAMP_AFTER_CONTENTS
  put(DATA_A(fresh), value, RELAXED);
#endif
  /* The record before it is evicted: a mark, and its key's entry goes. */
  if
  :: head != 0 ->
    set(DEATH(old), 0, gen + 1);
    set(INDEX, old + 1, 0)
  :: else
  fi;
  claim(fresh);
#ifndef FAULT_STAMP_AFTER_CONTENTS
  put(DATA_A(fresh), value, RELAXED);
#endif
  put(DATA_B(fresh), value, RELAXED);
  put(DEATH(fresh), 0, RELAXED);
  set(INDEX, 0, fresh + 1);
  head = REF(stamp[fresh], fresh);
  commit(head, value);
#ifdef FAULT_PONG_RELAXED
  put(PONG, gen, RELAXED);
#else
  put(PONG, gen, RELEASE);
#endif

retire:
  /* Directory::maintain: a transaction of its own, after the batch's. */
  old = 1 - REF_PAGE(head);
  if
  :: gen > 1 ->
    begin();
    set(OWNER(old), 1, 0);
    commit(head, truth[gen])
  :: else
  fi;
  goto batch;

died:
  buf_n == 0;
  gen = 0; head = 0; fresh = 0; old = 0; logged = 0; n = 0; value = 0;
  stamp[0] = 0; stamp[1] = 0;
  goto start;

finished:
  buf_n == 0;
  done = true
}

/* --- the reader -------------------------------------------------------------------------------- */

proctype Reader() {
  byte g, ref, value, p, a, b, death, pong, last;
  bool intact;

again:
  if
  :: done -> goto finished
  :: true
  fi;
  pong = mem[PONG];
  g = mem[GEN];
  assert(g >= pong);  /* what was answered for is there */
  assert(g >= last);  /* and nothing goes back */
  last = g;
  if
  :: g == 0 -> goto again
  :: else
  fi;
  ref = mem[HEAD(g)];
  value = mem[VALUE(g)];
  if
  :: mem[GEN] != g -> goto reset
  :: else
  fi;
  assert(value == truth[g]);
  p = REF_PAGE(ref);
  if
  :: mem[STAMP(p)] != REF_STAMP(ref) -> goto reset
  :: else
  fi;
#ifdef FAULT_COPY_NOT_ACQUIRED
  /* Without acquire a CPU may look at the stamp before it has copied. */
  if
  :: intact = (mem[STAMP(p)] == REF_STAMP(ref)); a = mem[DATA_A(p)]; b = mem[DATA_B(p)]; death = mem[DEATH(p)]
  :: a = mem[DATA_A(p)]; b = mem[DATA_B(p)]; death = mem[DEATH(p)]; intact = (mem[STAMP(p)] == REF_STAMP(ref))
  fi;
#else
  a = mem[DATA_A(p)];
  b = mem[DATA_B(p)];
  death = mem[DEATH(p)];
#ifdef FAULT_NO_SECOND_LOOK
  intact = true;
#else
  intact = (mem[STAMP(p)] == REF_STAMP(ref));
#endif
#endif
  /* Whatever is taken for good is the record that was committed, whole, and alive at that commit. */
  assert(!intact || (a == value && b == value && (death == 0 || death > g)));
reset:
  g = 0; ref = 0; value = 0; p = 0; a = 0; b = 0; death = 0; pong = 0; intact = false;
  goto again;

finished:
  g = 0; last = 0
}

init {
  atomic {
    run Buffer();
    run Writer();
    run Reader()
  }
}
