using System.Net;
using Bellhop.Features.Accounts;
using Bellhop.Tests.Support;

namespace Bellhop.Tests.Features.Accounts;

/// <summary>An authenticator in the hands of a test.</summary>
internal sealed record TestTotp(byte[] Secret, IReadOnlyList<string> RecoveryCodes)
{
    private const string Base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

    public string Code(int steps = 0) => Totp.CodeAt(Secret, Totp.StepAt(DateTimeOffset.UtcNow) + steps);

    /// <summary>Turned on, with the step before this one spent.</summary>
    public static async Task<TestTotp> EnableAsync(HttpClient client)
    {
        var secret = await StartAsync(client);
        var code = Totp.CodeAt(secret, Totp.StepAt(DateTimeOffset.UtcNow) - 1);
        var confirmed = (await client.CallAsync("POST", "/v1/auth/totp/confirm", $$"""{"code":"{{code}}"}""")).Expect(
            HttpStatusCode.OK
        );
        return new TestTotp(
            secret,
            [.. confirmed.Body.GetProperty("recovery_codes").EnumerateArray().Select(one => one.GetString()!)]
        );
    }

    public static async Task<byte[]> StartAsync(HttpClient client)
    {
        var begun = (
            await client.CallAsync("POST", "/v1/auth/totp", $$"""{"password":"{{TestAccount.Password}}"}""")
        ).Expect(HttpStatusCode.OK);
        return Decode(begun.Body.GetProperty("secret").GetString()!);
    }

    /// <summary>The bytes of a secret in base 32.</summary>
    public static byte[] Decode(string text)
    {
        var bits = string.Concat(text.Select(one => Convert.ToString(Base32.IndexOf(one), 2).PadLeft(5, '0')));
        return [.. bits.Chunk(8).Where(part => part.Length == 8).Select(part => Convert.ToByte(new string(part), 2))];
    }
}
