/**
 * What a supervisor and its workers say to each other, over the channel that fork(2) made. It outlives versions: a supervisor of an older
 * one starts workers of a newer one, so that words are only ever added, and what is not known is passed over.
 */
export type ToSupervisor =
  /** Everything that it needs is in memory: from now on it could serve. */
  | { readonly say: 'loaded' }
  /** With the listening socket. */
  | { readonly say: 'keep'; readonly key: string }
  /** Nobody listens there any more. */
  | { readonly say: 'drop'; readonly key: string }
  /** It serves. */
  | { readonly say: 'ready' }
  /** The state directory is free; what runs is being finished. */
  | { readonly say: 'released' }
  /** It cannot hand over (an Envoy that it runs holds the ports): it goes on as it is. */
  | { readonly say: 'cannot'; readonly reason: string };

export type ToWorker =
  /** With the listening socket. */
  | { readonly say: 'kept'; readonly key: string }
  /** All that is kept has been given: serve. */
  | { readonly say: 'begin' }
  /** Somebody else serves from now on: let go of the state, finish what runs, end. */
  | { readonly say: 'hand-over' };

/** Set in a worker's environment. */
export const supervisedVariable = 'ISTHMUS_SUPERVISED';
