// Greets whoever calls it, in the words of its environment.
export const handler = async ({ name = "you" }) => {
  const greeting = `${process.env.GREETING}, ${name}!`;
  console.log(greeting);
  return { greeting };
};
