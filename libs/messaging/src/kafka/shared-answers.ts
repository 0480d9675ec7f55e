/**
 * Answers to questions that many ask at about the same time. Whoever asks while an answer is on its way shares the next one with all others who do:
 * the one on its way may be older than what he knows already.
 */
export class SharedAnswers<T> {
  private readonly ask: (question: string) => Promise<T>;
  private readonly onTheirWay = new Map<string, Promise<T>>();
  private readonly next = new Map<string, Promise<T>>();

  constructor(ask: (question: string) => Promise<T>) {
    this.ask = ask;
  }

  /** An answer that was asked for after this call. Rejects as the one who is asked does. */
  to(question: string): Promise<T> {
    const shared = this.next.get(question);
    if (shared) return shared;
    const before = this.onTheirWay.get(question);
    if (!before) return this.begin(question);
    const begin = (): Promise<T> => {
      this.next.delete(question);
      return this.begin(question);
    };
    const next = before.then(begin, begin);
    this.next.set(question, next);
    return next;
  }

  private begin(question: string): Promise<T> {
    const answer = this.ask(question).finally(() => this.onTheirWay.delete(question));
    this.onTheirWay.set(question, answer);
    return answer;
  }
}
