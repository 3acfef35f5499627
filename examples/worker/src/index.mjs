// Works through a batch of messages, and tells which of them have failed, so that only these come again.
export const handler = async ({ Records: messages = [] }) => {
  const failed = [];
  for (const message of messages) {
    try {
      work(JSON.parse(message.body));
    } catch (error) {
      console.error(`message ${message.messageId}: ${error.message}`);
      failed.push({ itemIdentifier: message.messageId });
    }
  }
  return { batchItemFailures: failed };
};

const work = ({ order }) => {
  if (!order) throw new Error("it names no order");
  console.log(`order ${order} is done`);
};
