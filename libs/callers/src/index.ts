/**
 * Who may call a server that listens for this machine: whoever shows its token, and no page that a browser of this machine shows.
 *
 * Hides: what a browser says of the page behind a request, and how a token is carried and compared. Guarantees: a page under a name that was made to
 * lead here (DNS rebinding), and a page of another origin, are told from a call of a program; a comparison takes the same time whatever was sent.
 * Does not: limit guesses, or tell users of one machine apart without a token.
 */
export { isFromHere, isLoopback } from './from-here.ts';
export { basicPassword, bearerToken, Token } from './token.ts';
