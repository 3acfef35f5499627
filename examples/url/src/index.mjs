// Answers HTTP requests with the time.
export const handler = async () => ({
  statusCode: 200,
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ now: new Date().toISOString() }),
});
