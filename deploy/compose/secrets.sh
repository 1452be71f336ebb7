#!/bin/sh
# Writes .env with new secrets for docker compose, in the folder where it is called. Never overwrites one: the identity key
# makes the ids of all leads, and the database keeps the password that it was made with.
set -eu
if [ -e .env ]; then
  echo "secrets: .env is there already and was not touched. To start all over, remove the volumes too: docker compose down --volumes" >&2
  exit 1
fi
umask 077
random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
new=$(mktemp .env.XXXXXX)
trap 'rm -f "$new"' EXIT
cat > "$new" <<END
# Made by deploy/compose/secrets.sh. Keep a copy in a safe place; it belongs in no repository.
BATON_ADMIN_KEY=bk_$(random)
BATON_IDENTITY_KEY=$(random)
POSTGRES_PASSWORD=$(random)
END
mv "$new" .env
echo "secrets: wrote .env; the administrator's key is BATON_ADMIN_KEY in it."
