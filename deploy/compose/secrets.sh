#!/bin/sh
# Writes the secrets of docker compose to .env in the folder where it is called: those that are missing there. What is there stays: the
# identity key makes the ids of all leads, and the database keeps the password that it was made with.
set -eu
umask 077
random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
new=$(mktemp .env.XXXXXX)
trap 'rm -f "$new"' EXIT
if [ -e .env ]; then
  cat .env > "$new"
else
  echo "# Made by deploy/compose/secrets.sh. Keep a copy in a safe place; it belongs in no repository." > "$new"
fi
added=
for name in BATON_ADMIN_KEY BATON_IDENTITY_KEY POSTGRES_PASSWORD POSTGRES_OWNER_PASSWORD POSTGRES_SERVICES_PASSWORD KAFKA_PASSWORD; do
  grep -q "^$name=" "$new" && continue
  prefix=; [ "$name" = BATON_ADMIN_KEY ] && prefix=bk_
  echo "$name=$prefix$(random)" >> "$new"
  added="$added $name"
done
if [ -z "$added" ]; then
  echo "secrets: .env has them all already and was not touched. To start all over, remove the volumes too: docker compose down --volumes"
  exit 0
fi
mv "$new" .env
echo "secrets: wrote$added to .env; the administrator's key is BATON_ADMIN_KEY in it."
