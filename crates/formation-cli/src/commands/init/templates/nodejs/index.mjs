// What Lambda calls: `handler` of `index`, as formation.yaml says.
export const handler = async (event) => {
  const name = event?.name ?? "world";
  return { message: `${process.env.GREETING}, ${name}!` };
};
