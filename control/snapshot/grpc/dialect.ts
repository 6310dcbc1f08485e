import { outboundClusterName } from '../../../core/model/index.ts';
import { envoyTypeUrls } from '../../../core/xds/index.ts';
import type { Dialect } from '../dialect.ts';
import type { AssignmentIr, ClusterIr, Resource } from '../ir.ts';
import { clientResources } from './client-resources.ts';
import { planPort } from './plan-port.ts';
import { serverListeners } from './server-resources.ts';

/**
 * For proxyless gRPC, as @grpc/grpc-js-xds and its siblings read xDS: state-of-the-world ADS, a TLS context for each xDS cluster, files
 * for certificates. See docs/proxyless-grpc.md for what it cannot say.
 */
export const grpcDialect: Dialect = {
  name: 'grpc',
  typeUrls: [envoyTypeUrls.cluster, envoyTypeUrls.loadAssignment, envoyTypeUrls.listener, envoyTypeUrls.route],
  translate: (_owner, resources, { anchors }) => {
    const assignments = new Map(resources.flatMap((r) => (r.kind === 'endpoints' ? [[r.name, r.value as AssignmentIr] as const] : [])));
    return resources.filter(isGrpcCluster).flatMap(({ name, value }) => {
      return clientResources(value, planPort(value, assignments.get(name)?.endpoints ?? [], anchors));
    });
  },
  personal: serverListeners,
};

/** tcp: what nobody has declared may be gRPC, and is carried as bytes. */
const carriers: ReadonlySet<string> = new Set(['grpc', 'http2', 'tcp']);

function isGrpcCluster(resource: Resource): resource is Resource<'cluster'> {
  if (resource.kind !== 'cluster') return false;
  const { port, host, protocol } = resource.value as ClusterIr;
  // A target is a service port: nothing here leads to one of its subsets.
  return carriers.has(protocol) && resource.name === outboundClusterName({ port, subset: '', host });
}
