import test from 'node:test';
import { configFieldsPage } from '../../support/config-fields-page.ts';
import { assertGoldenText } from '../../support/golden.ts';

test('docs/config-fields.md lists every field of every kind as the schemas have it', async () => {
  await assertGoldenText('docs/config-fields.md', configFieldsPage());
});
