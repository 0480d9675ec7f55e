import tseslint from 'typescript-eslint';

// Any line of ours or of a library may throw one of these by mistake, so none of them can carry a meaning.
const NO_DECISION_ON_MISTAKES = {
  selector:
    "BinaryExpression[operator='instanceof'][right.name=/^(RangeError|TypeError|SyntaxError|ReferenceError|URIError|EvalError)$/]",
  message: 'a mistake anywhere throws these too: give what is decided on an error class of its own',
};

// A stored event may be of a schema that this version does not know.
const ONE_READER_OF_EVENTS = {
  selector: 'TSAsExpression > TSTypeReference[typeName.name=/^(Stored)?(ContainerGroupEvent|OrphanEvent)$/]',
  message: 'stored events are read by streams/stored-events.ts, which looks at their version',
};

const NO_CLOCK = {
  selector: "NewExpression[callee.name='Date'][arguments.length=0]",
  message: 'time comes with the command',
};

// A new type of event that a fold forgets must not compile: what is unknown is an event of its own.
const NO_DEFAULT_IN_A_FOLD = {
  selector: 'SwitchCase[test=null]',
  message: 'a fold names every type of event; the unknown are events of type Unknown, made by their reader',
};

// Whoever answers may name anybody as the next to ask, who would be sent our tokens.
const NO_FOLLOWED_REDIRECTS = {
  selector:
    "CallExpression[callee.name='fetch']:not(:has(Property[key.name='redirect'][value.value=/^(error|manual)$/]))",
  message: "say what becomes of a redirect: redirect: 'error', or 'manual' and words of our own",
};

export default tseslint.config(
  { ignores: ['dist/**', 'node_modules/**', 'coverage/**'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.base],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { arguments: false } }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/no-explicit-any': 'error',
      'no-constant-condition': ['error', { checkLoops: false }],
      'no-empty': 'error',
      'no-restricted-syntax': ['error', NO_DECISION_ON_MISTAKES],
      'no-fallthrough': 'error',
      'prefer-const': 'error',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
    },
  },
  {
    // Command lines and scripts talk to a terminal; everything else logs.
    files: ['libs/**/*.ts', 'services/**/*.ts', 'migrations/**/*.ts'],
    ignores: ['**/main.ts', '**/*.spec.ts', 'libs/testing/**', 'services/standalone/**', 'services/cli/**'],
    rules: { 'no-console': 'error' },
  },
  {
    files: ['services/**/*.ts'],
    ignores: ['**/*.spec.ts', '**/streams/stored-events.ts'],
    rules: {
      'no-restricted-syntax': ['error', NO_DECISION_ON_MISTAKES, ONE_READER_OF_EVENTS, NO_FOLLOWED_REDIRECTS],
    },
  },
  {
    files: ['libs/**/*.ts'],
    ignores: ['**/*.spec.ts', 'libs/testing/**'],
    rules: { 'no-restricted-syntax': ['error', NO_DECISION_ON_MISTAKES, NO_FOLLOWED_REDIRECTS] },
  },
  {
    // Decisions get time, ids and randomness from outside, so that they replay.
    files: ['libs/domain/**/*.ts'],
    ignores: ['**/*.spec.ts'],
    rules: {
      'no-restricted-globals': ['error', 'setTimeout', 'setInterval', 'process', 'crypto', 'performance'],
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random' },
        { object: 'Date', property: 'now' },
      ],
      'no-restricted-syntax': ['error', NO_DECISION_ON_MISTAKES, NO_CLOCK],
    },
  },
  {
    files: ['libs/domain/src/*/{evolve,state}.ts'],
    rules: { 'no-restricted-syntax': ['error', NO_DECISION_ON_MISTAKES, NO_CLOCK, NO_DEFAULT_IN_A_FOLD] },
  },
);
