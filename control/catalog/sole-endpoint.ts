import { type ClusterId, type EndpointKey, type EndpointRecord, endpointKey, type SourceId } from '../../core/model/index.ts';
import type { CatalogEndpoint, Contribution, Provenance } from './view.ts';

/** Whose word it is. One object for all endpoints of a contribution. */
export type Origin = Pick<Contribution, 'cluster' | 'source' | 'state'>;

/** What one record says; a peer says of its other sources no more than that they have one of the same place. */
export function provenanceOf({ instance, attested, health, labels, otherSources = [] }: EndpointRecord, origin: Origin): Provenance[] {
  const others = otherSources.map((source) => ({ ...origin, source, instance, attested: false, health, labels: {} }));
  return [{ ...origin, instance, attested, health, labels }, ...others];
}

/**
 * An endpoint that one source alone speaks of, which most are: its record, seen as the catalog shows it. A mesh has so many of
 * them that a copy of the record for each would be most of the catalog's memory.
 */
export class SoleEndpoint implements CatalogEndpoint {
  readonly record: EndpointRecord;
  readonly origin: Origin;

  constructor(record: EndpointRecord, origin: Origin) {
    this.record = record;
    this.origin = origin;
  }

  get key(): EndpointKey {
    return endpointKey(this.origin.cluster, this.origin.source, this.record.instance);
  }
  get cluster(): ClusterId {
    return this.origin.cluster;
  }
  get source(): SourceId {
    return this.origin.source;
  }
  get state(): Origin['state'] {
    return this.origin.state;
  }
  get provenance(): readonly Provenance[] {
    return provenanceOf(this.record, this.origin);
  }
  get otherSources() {
    return this.record.otherSources ?? [];
  }
  get instance() {
    return this.record.instance;
  }
  get network() {
    return this.record.network;
  }
  get address() {
    return this.record.address;
  }
  get ports() {
    return this.record.ports;
  }
  get health() {
    return this.record.health;
  }
  get weight() {
    return this.record.weight;
  }
  get locality() {
    return this.record.locality;
  }
  get labels() {
    return this.record.labels;
  }
  get identityNamespace() {
    return this.record.identityNamespace;
  }
  get serviceAccount() {
    return this.record.serviceAccount;
  }
  get tlsMode() {
    return this.record.tlsMode;
  }
  get runtime() {
    return this.record.runtime;
  }
  get attested() {
    return this.record.attested;
  }
  get plain() {
    return this.record.plain;
  }
  get tunnel() {
    return this.record.tunnel;
  }
}
