using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Accounts.Tokens;

/// <summary>What an access token is asked for with. Its text form shows the kind only.</summary>
/// <param name="GrantType"><c>password</c> with <c>email</c>, <c>password</c> and, where the user has it, <c>totp</c>; <c>refresh_token</c>; <c>api_key</c>.</param>
/// <param name="Totp">The six digits of the second factor, or a recovery code.</param>
public sealed record TokenRequest(
    [property: WordOf(typeof(GrantType))] string? GrantType,
    [property: MaxLength(TokenRequest.MaxLength), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        string? Email = null,
    [property: MaxLength(TokenRequest.MaxLength), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        string? Password = null,
    [property: MaxLength(TokenRequest.MaxLength), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        string? Totp = null,
    [property: MaxLength(TokenRequest.MaxLength), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        string? RefreshToken = null,
    [property: MaxLength(TokenRequest.MaxLength), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        string? ApiKey = null
) : IExampled<TokenRequest>
{
    public const int MaxLength = 1_024;

    public static TokenRequest Example =>
        new(
            Tokens.GrantType.ApiKey,
            ApiKey: "bh_0000000000000000000000000000000000000000000000000000000000000000000000000000"
        );

    public override string ToString() => $"{GrantType}";
}

/// <summary>What a program may show for an access token.</summary>
public static class GrantType
{
    public const string Password = "password";
    public const string RefreshToken = "refresh_token";
    public const string ApiKey = "api_key";

    public static readonly string[] All = [Password, RefreshToken, ApiKey];
}
