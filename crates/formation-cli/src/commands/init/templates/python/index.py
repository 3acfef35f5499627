import os


# What Lambda calls: `handler` of `index`, as formation.yaml says.
def handler(event, context):
    name = (event or {}).get("name", "world")
    return {"message": f"{os.environ['GREETING']}, {name}!"}
