import { parseObject } from '../../../control/config/index.ts';
import type { ConfigObject, TrafficObject } from '../../../core/config/index.ts';
import { type ConfigDocument, parseDocuments } from '../../../core/yaml/index.ts';

/** As the control plane parses them. Throws with every mistake. */
export function trafficObjects(file: string, text: string, namespace: string): readonly TrafficObject[] {
  const { documents, violations } = parseDocuments(file, text);
  const parsed = documents.map((document) => parseObject(inNamespace(document, namespace), '/'));
  const wrong = [...violations, ...parsed.flatMap((each) => each.violations)];
  if (wrong.length > 0) throw new Error(`${file}: ${wrong.map((v) => `${v.path} ${v.message}`).join('; ')}`);
  return parsed.flatMap(({ located }) => (located !== undefined && isTraffic(located.object) ? [located.object] : []));
}

function inNamespace(document: ConfigDocument, namespace: string): ConfigDocument {
  const value = document.value as { readonly metadata?: Readonly<Record<string, unknown>> };
  return { ...document, value: { ...value, metadata: { namespace, ...value.metadata } } };
}

const isTraffic = (object: ConfigObject): object is TrafficObject => 'scope' in object;
