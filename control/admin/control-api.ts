import type {
  AttestorToken,
  CreatedJoinToken,
  Drift,
  ExplainedRequest,
  Explanation,
  Instance,
  Invite,
  JoinedPeer,
  JoinPeerRequest,
  JoinTokenRequest,
  MtlsStatus,
  PeerStatus,
  RemovedPeer,
  SignedIntermediate,
  SignRequest,
  Status,
  Traffic,
  UninstallPlan,
  UninstallResult,
} from '../../core/admin/index.ts';
import type { AuthorityApi } from './authority-api.ts';
import type { Changed } from './changed.ts';
import type { FederationApi } from './federation-api.ts';
import type { MigrationsApi } from './migrations-api.ts';
import type { ObjectsApi } from './objects-api.ts';
import type { RevocationsApi } from './revocations-api.ts';

/** Absent: anybody. See `isthmus traffic`. */
export interface TrafficQuery {
  readonly source?: string;
  readonly destination?: string;
  readonly sinceMs: number;
  /** Also what another reporter counted. */
  readonly all: boolean;
}

/**
 * What the API can ask of the control plane. Made by the composition root; knows nothing of callers, roles or HTTP: whoever
 * gets here may do it. Rejects with MeshError; NOT_FOUND, CONFLICT, PERMISSION_DENIED, LIMIT_EXCEEDED and the like reach the
 * caller with their message.
 */
export interface ControlApi {
  /** Everything; the API leaves out what the caller may not see. */
  status(): Promise<Status>;
  /** `src`, `dst`: NAMESPACE/NAME, a mesh host name with or without port, or an instance id. */
  explain(src: string, dst: string, request?: ExplainedRequest): Promise<Explanation>;
  instances(): Promise<readonly Instance[]>;
  peers(): Promise<readonly PeerStatus[]>;
  uninstallPlan(): Promise<UninstallPlan>;

  createToken(request: JoinTokenRequest): Promise<Changed<CreatedJoinToken>>;
  /** For an AttestationPolicy, NAMESPACE/NAME; NOT_FOUND when there is none here. Absent: it takes no objects. */
  attestorToken?(policy: string, network?: string): Promise<AttestorToken>;
  /** `dial`: HOST:PORT of the joiner, where this side cannot be dialled. */
  invitePeer(ttlMs: number, dial?: string): Promise<Changed<Invite>>;
  joinPeer(request: JoinPeerRequest): Promise<Changed<JoinedPeer>>;
  removePeer(cluster: string): Promise<Changed<RemovedPeer>>;
  uninstall(): Promise<Changed<UninstallResult>>;
  /** Absent: this control plane has no online root; the route then answers NOT_FOUND and says so. */
  signIntermediate?(request: SignRequest): Promise<Changed<SignedIntermediate>>;
  /** `service`: NAMESPACE/NAME; absent: all. Absent: it registers nobody. */
  mtls?(service: string | undefined): Promise<MtlsStatus>;
  /** Absent: it counts no traffic. */
  traffic?(query: TrafficQuery): Promise<Traffic>;
  /** Which clusters hold each other's objects otherwise than their owners have them, now; `all`: and which do not. Of every namespace, as `status`. */
  drift(all: boolean): Promise<Drift>;
  /** Absent: it takes no objects; their routes are not there. */
  readonly objects?: ObjectsApi;
  /** Absent: its certificates are managed elsewhere; their routes are not there. */
  readonly authority?: AuthorityApi;
  /** Absent: it takes nothing back; the routes are not there. */
  readonly revocations?: RevocationsApi;
  /** Absent: it federates with nobody; their routes are not there. */
  readonly federation?: FederationApi;
  /** Absent: it drives no migrations; their routes are not there. */
  readonly migrations?: MigrationsApi;
}
