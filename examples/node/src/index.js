// Gives a ticket a number that nobody can guess.
import { customAlphabet } from "nanoid";

// Without letters and digits that are taken for one another.
const number = customAlphabet("23456789ABCDEFGHJKMNPQRSTUVWXYZ", 10);

export const handler = async ({ title }) => {
  if (!title) throw new Error("a ticket has a title");
  const ticket = { id: `${process.env.PREFIX}-${number()}`, title };
  console.log(`opened ${ticket.id}`);
  return ticket;
};
