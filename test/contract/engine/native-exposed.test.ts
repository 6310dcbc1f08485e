import { exposedSuite } from './exposed-suite.ts';
import { makeNative } from './make-native.ts';

exposedSuite('native', makeNative);
