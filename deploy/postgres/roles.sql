-- Gives Baton's database an owner, who migrates it, and a role for the services, who read and write rows and do nothing else.
--
-- Run with psql, by a superuser, in that database, before each migration; a second run changes nothing. The passwords come from
-- the environment: OWNER_PASSWORD and SERVICES_PASSWORD. Tables that another role made before are handed to the owner.
\set ON_ERROR_STOP on
\getenv owner_password OWNER_PASSWORD
\getenv services_password SERVICES_PASSWORD

SELECT format('CREATE ROLE %I', name) FROM unnest(ARRAY['baton_owner', 'baton_services']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
ALTER ROLE baton_owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'owner_password';
ALTER ROLE baton_services LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'services_password';

SELECT format('ALTER DATABASE %I OWNER TO baton_owner', current_database()) \gexec
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC, baton_services', current_database()) \gexec
SELECT format('GRANT CONNECT ON DATABASE %I TO baton_services', current_database()) \gexec
ALTER SCHEMA public OWNER TO baton_owner;
REVOKE ALL ON SCHEMA public FROM PUBLIC, baton_services;
GRANT USAGE ON SCHEMA public TO baton_services;

-- Sequences of identity columns go with their table.
SELECT format('ALTER TABLE public.%I OWNER TO baton_owner', relname) FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm') AND relowner <> 'baton_owner'::regrole \gexec

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO baton_services;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO baton_services;
ALTER DEFAULT PRIVILEGES FOR ROLE baton_owner IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO baton_services;
ALTER DEFAULT PRIVILEGES FOR ROLE baton_owner IN SCHEMA public GRANT USAGE ON SEQUENCES TO baton_services;
