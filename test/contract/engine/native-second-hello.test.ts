import { makeNative } from './make-native.ts';
import { secondHelloSuite } from './second-hello-suite.ts';

secondHelloSuite('native', makeNative);
