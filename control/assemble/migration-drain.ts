import type { DrainEndpoint } from '../../core/admin/index.ts';
import type { Clock } from '../../core/clock.ts';
import type { Catalog } from '../catalog/index.ts';
import { AddressBook, type DrainMemory, judgeDrain, type OldPlace, oldPlaces, socketTargets, withGone } from '../migrate/drain/index.ts';
import type { MigrationState } from '../migrate/index.ts';
import type { SocketReports } from '../registration/index.ts';
import { endpointsOf } from './migration-places.ts';

/** Of one migration: beyond it those that left are not followed. */
const mostPlaces = 5_000;

/** Looks at the side that is left, and asks agents for what they see of it. */
export class MigrationDrain {
  readonly #catalog: Catalog;
  readonly #sockets: SocketReports;
  readonly #clock: Clock;
  /** By migration and run: lost with this process, and then the bake begins again. */
  readonly #memories = new Map<string, { readonly run: number; readonly memory: DrainMemory }>();
  /** Also those that left their registry since it drains. */
  readonly #places = new Map<string, { readonly run: number; readonly places: readonly OldPlace[] }>();

  constructor(catalog: Catalog, sockets: SocketReports, clock: Clock) {
    this.#catalog = catalog;
    this.#sockets = sockets;
    this.#clock = clock;
  }

  /** What agents are asked for from now on, by every replica, as each hears agents of its own. Called at each change. */
  watch(states: readonly MigrationState[]): void {
    const draining = states.filter(({ phase }) => phase === 'draining');
    this.#sockets.setTargets(draining.flatMap((state) => socketTargets(this.#placesOf(state))));
    const known = new Set(draining.map(keyOf));
    for (const kept of [this.#memories, this.#places]) for (const key of kept.keys()) if (!known.has(key)) kept.delete(key);
  }

  /** Something drains, as of the last `watch`. */
  get active(): boolean {
    return this.#places.size > 0;
  }

  look(state: MigrationState): readonly DrainEndpoint[] {
    const key = keyOf(state);
    const kept = this.#memories.get(key);
    const { endpoints, memory } = judgeDrain({
      places: this.#placesOf(state),
      sightings: this.#sockets.sightings(),
      book: new AddressBook(this.#catalog.current()),
      memory: kept?.run === state.run ? kept.memory : new Map(),
      bakeMs: state.spec.drain.bakeMs,
      monotonic: this.#clock.monotonic(),
      now: this.#clock.now(),
    });
    this.#memories.set(key, { run: state.run, memory });
    return endpoints;
  }

  #placesOf(state: MigrationState): readonly OldPlace[] {
    const { namespace, spec, run } = state;
    const key = keyOf(state);
    const before = this.#places.get(key);
    const now = oldPlaces(endpointsOf(this.#catalog, state).from, { namespace, name: spec.service });
    const places = withGone(now, before?.run === run ? before.places : []).slice(0, Math.max(now.length, mostPlaces));
    this.#places.set(key, { run, places });
    return places;
  }
}

function keyOf({ namespace, name }: MigrationState): string {
  return `${namespace}/${name}`;
}
