import { z } from 'zod';
import type { HeaderChanges } from '../../../../core/traffic/index.ts';
import { fields } from '../../../../core/yaml/index.ts';
import { across, listOf, type Written } from '../across.ts';
import { nameFault } from '../istio/http-headers.ts';
import { headerName, lowerName, reportRepeats } from './values.ts';

const headerValue = z
  .string()
  .min(1, { error: 'must not be empty: use remove' })
  .max(4096)
  .regex(/^[!-~]+([\t ]?[!-~]+)*$/, { error: 'must be visible characters, with single spaces between' });

const namedValues = z
  .array(fields({ name: headerName, value: headerValue }))
  .max(16, { error: 'holds more than 16' })
  .default([]);

/** HTTPHeaderFilter. */
export const headerModifier = across(
  fields({ set: namedValues, add: namedValues, remove: z.array(z.string()).max(16, { error: 'holds more than 16' }).default([]) }),
  (value, report) => {
    for (const operation of ['set', 'add'] as const) {
      listOf(value[operation]).forEach((each, i) => {
        const name = (each as Written | null)?.['name'];
        const fault = typeof name === 'string' ? nameFault(name, operation) : undefined;
        if (fault !== undefined && fault !== 'is not a header name') report([operation, i, 'name'], fault);
      });
      reportRepeats(value[operation], lowerName, report, [operation], 'name');
    }
    listOf(value['remove']).forEach((name, i) => {
      const fault = typeof name === 'string' ? nameFault(name, 'remove') : undefined;
      if (fault !== undefined) report(['remove', i], fault);
    });
  },
);

interface Modifiers {
  readonly requestHeaderModifier?: z.output<typeof headerModifier> | undefined;
  readonly responseHeaderModifier?: z.output<typeof headerModifier> | undefined;
}

/** What filters of either place come to. */
export function toHeaderChanges(filters: readonly Modifiers[]): {
  readonly requestHeaders?: HeaderChanges;
  readonly responseHeaders?: HeaderChanges;
} {
  const request = filters.find((each) => each.requestHeaderModifier !== undefined)?.requestHeaderModifier;
  const response = filters.find((each) => each.responseHeaderModifier !== undefined)?.responseHeaderModifier;
  return {
    ...(request === undefined ? {} : { requestHeaders: changes(request) }),
    ...(response === undefined ? {} : { responseHeaders: changes(response) }),
  };
}

function changes({ set, add, remove }: z.output<typeof headerModifier>): HeaderChanges {
  const pairs = (list: typeof set) => list.map(({ name, value }) => [name.toLowerCase(), value] as const);
  return { set: pairs(set), add: pairs(add), remove: remove.map((name) => name.toLowerCase()) };
}
