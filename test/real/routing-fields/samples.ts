import type { MergedService } from '../../../control/catalog/index.ts';
import type { Protocol } from '../../../core/model/index.ts';
import { meshService } from '../../support/traffic-model.ts';

function service(id: string, port: number, protocol: Protocol, ...versions: readonly string[]): MergedService {
  const instances = versions.map((version) => ({ instance: version, network: 'east-net', tlsMode: 'none' as const, labels: { version } }));
  return meshService(id, { [port]: protocol }, instances);
}

/** What the samples lead to. Nobody calls it: its endpoints need not be there. */
export const sampleServices: readonly MergedService[] = [
  service('default/productpage', 9080, 'http', 'v1'),
  service('default/details', 9080, 'http', 'v1', 'v2'),
  service('default/reviews', 9080, 'http', 'v1', 'v2', 'v3'),
  service('default/ratings', 9080, 'http', 'v1', 'v2-mysql', 'v2-mysql-vm'),
  service('default/mysqldb', 3306, 'tcp', 'v1'),
  service('default/tcp-echo', 9000, 'tcp', 'v1', 'v2'),
  service('default/httpbin', 8000, 'http', 'v1', 'v2'),
  service('sample/helloworld', 5000, 'http', 'v1'),
];
