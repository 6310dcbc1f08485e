import type { CrdSchema, CustomResourceDefinition } from '../servers/crds.ts';

/** Every field of the spec that holds no others, as `http[].match[].headers{}.exact`. */
export function leafFields({ spec }: CustomResourceDefinition): readonly string[] {
  const found = new Set<string>();
  const walk = (schema: CrdSchema, path: string): void => {
    if (schema.items !== undefined) walk(schema.items, `${path}[]`);
    else if (typeof schema.additionalProperties === 'object') walk(schema.additionalProperties, `${path}{}`);
    else if (schema.properties !== undefined) {
      for (const [name, part] of Object.entries(schema.properties)) walk(part, path === '' ? name : `${path}.${name}`);
    } else found.add(path);
  };
  for (const version of spec.versions) walk(version.schema.openAPIV3Schema.properties?.['spec'] ?? {}, '');
  return [...found].filter((path) => path !== '');
}
