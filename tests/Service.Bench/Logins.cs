using System.Globalization;
using Bellhop.Features.Accounts;

namespace Bellhop.Bench;

/// <summary>What a flood of logins does to everybody else, and whether the time of an answer tells if an account exists.</summary>
public static class Logins
{
    private const int Seconds = 10;
    private const int Flood = 500;
    private const int Tries = 1_000;
    private const int TriesEach = 4; // one more would make the account wait

    public static async Task<string> RunAsync(BenchHost host)
    {
        await AddUsersAsync(host);
        await Load.GetAsync(host.Port, host.Key, 8, 20, Jobs);
        var (quiet, flooded, logins) = (new List<Load.Result>(), new List<Load.Result>(), new List<Load.Result>());
        for (var round = 0; round < 3; round++)
        {
            quiet.Add(await Load.GetAsync(host.Port, host.Key, 8, Seconds, Jobs));
            var flood = FloodAsync(host, round);
            flooded.Add(await Load.GetAsync(host.Port, host.Key, 8, Seconds, Jobs));
            logins.Add(await flood);
        }

        var (unknown, wrong) = await TimeAsync(host);
        var ratio = unknown / wrong;
        return string.Create(
            CultureInfo.InvariantCulture,
            $"""

            ## Logins (`./dev bench logins`)

            | `GET /v1/jobs`, 8 connections | a second | p50 | p99 |
            | --- | --- | --- | --- |
            | alone | {Of(quiet, one => one.PerSecond):F0} | {Of(quiet, one => one.P50):F1} ms | {Of(
                quiet,
                one => one.P99
            ):F1} ms |
            | beside {Flood} that log in and repeat it when told to | {Of(flooded, one => one.PerSecond):F0} | {Of(
                flooded,
                one => one.P50
            ):F1} ms | **{Of(flooded, one => one.P99):F1} ms** |

            Medians of 3 × {Seconds} s by turns; the bar is a p99 of 250 ms. {logins.Sum(one =>
                one.PerSecond * Seconds
            ):F0} of the flood's tries
            were checked (401), {logins.Sum(one => one.Unexpected)} told to come again (429).

            Unknown user {unknown:F2} ms, wrong password {wrong:F2} ms: medians of {Tries} tries each, interleaved, ratio **{ratio:F3}** (bar 0.8 to 1.2).
            """
        );
    }

    private static string Jobs(int connection, int request) => "/v1/jobs?limit=20";

    private static async Task AddUsersAsync(BenchHost host)
    {
        var hash = PasswordHash.Of("a password that nobody tries").ToPhc();
        await host.ExecuteAsync(
            $"""
            INSERT INTO users (id, email, email_key, password_hash, created_at, updated_at)
            SELECT new_id(), 'real-' || n || '@example.com', 'real-' || n || '@example.com', '{hash}', now(), now()
            FROM generate_series(1, {Tries / TriesEach}) AS n
            """
        );
    }

    private static Task<Load.Result> FloodAsync(BenchHost host, int round) =>
        Load.PostAsync(
            host.Port,
            "/v1/auth/login",
            Flood,
            Seconds,
            401,
            TimeSpan.FromSeconds(1),
            (connection, request) => Body($"flood-{round}-{connection}-{request}@example.com")
        );

    private static async Task<(double Unknown, double Wrong)> TimeAsync(BenchHost host)
    {
        using var client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{host.Port}") };
        var (unknown, wrong) = (new List<double>(), new List<double>());
        for (var number = 0; number < Tries; number++)
        {
            var user = (number / TriesEach) + 1;
            unknown.Add(await TryAsync(client, $"none-{user}@example.com"));
            wrong.Add(await TryAsync(client, $"real-{user}@example.com"));
        }

        return (Load.Median(unknown), Load.Median(wrong));
    }

    private static async Task<double> TryAsync(HttpClient client, string email)
    {
        var began = System.Diagnostics.Stopwatch.GetTimestamp();
        using var body = new StringContent(Body(email), null, "application/json");
        using var answer = await client.PostAsync("/v1/auth/login", body);
        await answer.Content.ReadAsByteArrayAsync();
        return (int)answer.StatusCode == 401
            ? System.Diagnostics.Stopwatch.GetElapsedTime(began).TotalMilliseconds
            : throw new InvalidOperationException($"{(int)answer.StatusCode} to {email}");
    }

    private static string Body(string email) => $$"""{"email":"{{email}}","password":"not the password of anybody"}""";

    private static double Of(List<Load.Result> results, Func<Load.Result, double> value) =>
        Load.Median(results.Select(value));
}
