/** metav1.Time has whole seconds; the API server would cut the rest anyway, and then our next write would look like a change. */
export const seconds = (iso: string): string => {
  const time = Date.parse(iso);
  return Number.isNaN(time) ? '1970-01-01T00:00:00Z' : new Date(time).toISOString().replace(/\.\d{3}Z$/, 'Z');
};
